# shellcheck shell=dash
# manifest.json: what the server registers at its start. Paths are relative to it.

# file_json DIR PATH: {"path", "sha256", "size"}
file_json() {
	printf '{"path": "%s", "sha256": "%s", "size": %d}' "$2" "$(sha256_of "$1/$2")" "$(stat -c %s "$1/$2")"
}

sha256_of() {
	local sum
	sum=$(sha256sum "$1")
	printf '%s\n' "${sum%% *}"
}

# at_most FILE MIB: dies when FILE is larger.
at_most() {
	[ "$(stat -c %s "$1")" -le $(($2 * 1048576)) ] || die "${1##*/} has $(stat -c %s "$1") bytes, more than $2 MiB: take something out of the recipe"
}

# together_at_most MB WHAT FILE...: dies when the files together have more than so many million bytes.
together_at_most() {
	local limit=$1 what=$2 sum
	shift 2
	sum=$(stat -c %s "$@" | awk '{ sum += $1 } END { printf "%.0f", sum }')
	[ "$sum" -le $((limit * 1000000)) ] || die "$what has $sum bytes, more than $limit MB: take something out of the recipe"
}

# content_version PREFIX FILE...: an image is immutable, so its version names its bytes: PREFIX and eight digits of their digests.
content_version() {
	local prefix=$1
	shift
	printf '%s-%.8s\n' "$prefix" "$(sha256sum "$@" | cut -d ' ' -f 1 | sha256sum)"
}

# lines_json: a list of strings from lines.
lines_json() {
	awk '{ printf "%s\"%s\"", (NR > 1 ? ", " : ""), $0 }'
}

# manifest DIR VERSION FLAVOUR KERNEL_VERSION RELEASE MISSING_FIRMWARE_FILE
manifest() {
	local name separator=''
	cat <<-END
		{
		  "version": "$2",
		  "kernel": {
		    "version": "$(content_version "$4-$3" "$1/kernel/vmlinuz" "$1/kernel/initrd.img" "$1/kernel/modules.squashfs")",
		    "flavour": "$3",
		    "release": "$5",
		    "files": {
		      "vmlinuz": $(file_json "$1" kernel/vmlinuz),
		      "initrd": $(file_json "$1" kernel/initrd.img),
		      "modules": $(file_json "$1" kernel/modules.squashfs)
		    },
		    "missingFirmware": [$(lines_json <"$6")]
		  },
		  "micro": {
		    "version": "$(content_version "$2" "$1/micro.squashfs")",
		    "files": { "rootfs": $(file_json "$1" micro.squashfs) }
		  },
		  "base": {
		    "version": "$(content_version "$2" "$1/base.squashfs")",
		    "files": { "rootfs": $(file_json "$1" base.squashfs) }
		  },
		  "live": {
		    "version": "$(content_version "$2" "$1/live.squashfs")",
		    "files": { "rootfs": $(file_json "$1" live.squashfs) }
		  },
		  "bootloaders": {
	END
	for name in undionly.kpxe snponly.efi ipxe.efi shimx64.efi grubx64.efi; do
		printf '%s    "%s": %s' "$separator" "$name" "$(file_json "$1" "bootloaders/$name")"
		separator=',
'
	done
	printf '\n  }\n}\n'
}
