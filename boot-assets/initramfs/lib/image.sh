# shellcheck shell=dash
# Images in RAM, one file per digest however often it is used: $anybios_run/images/DIGEST.img, mounted at …/DIGEST.

# is_digest TEXT: 64 lower-case hex digits; it becomes a file name.
is_digest() {
	case $1 in
	*[!0-9a-f]*) return 1 ;;
	esac
	[ ${#1} -eq 64 ]
}

# is_size TEXT: a decimal number of bytes.
is_size() {
	case $1 in
	'' | *[!0-9]*) return 1 ;;
	esac
}

# image_fetch URL DIGEST SIZE NOTIFY...: into RAM unless it is there. `reason` says why not.
image_fetch() {
	local url=$1 digest=$2 size=$3 free
	shift 3
	if ! is_digest "$digest" || ! is_size "$size"; then
		reason="the server described ${url##*/} with sha256 \"$digest\" and size \"$size\""
		return 1
	fi
	[ ! -e "$anybios_run/images/$digest.img" ] || return 0
	free=$(df -k "$anybios_run/images" | awk 'NR > 1 { kib = $4 } END { print kib }')
	if [ $((size / 1024)) -gt "$free" ]; then
		reason="${url##*/} has $(mib "$size"), the RAM for images has room for $((free / 1024)) MiB: this machine is too small for its role"
		return 1
	fi
	fetch_verified "$url" "$anybios_run/images/$digest.part" "$size" "$digest" "$@" || return 1
	mv "$anybios_run/images/$digest.part" "$anybios_run/images/$digest.img"
}

# image_mount DIGEST: prints where its squashfs is mounted, read-only. `reason` is lost in $( ): the status tells.
image_mount() {
	local place="$anybios_run/images/$1"
	if ! is_mounted "$place"; then
		mkdir -p "$place"
		mount -t squashfs -o ro,loop "$place.img" "$place" || return 1
	fi
	printf '%s\n' "$place"
}
