# shellcheck shell=dash
# A kernel image: vmlinuz, initrd and modules of one Debian package. The signatures of kernel and modules stay as they are
# (Secure Boot): nothing is stripped or compressed one by one.

# kernel_unpack DEB DIR: sets `release` (what uname -r will say) and SOURCE_DATE_EPOCH (the package's own date).
kernel_unpack() {
	dpkg -x "$1" "$2" || die "$1 is damaged: remove it and build again"
	release=$(cd "$2/lib/modules" && echo *)
	SOURCE_DATE_EPOCH=$(stat -c %Y "$2/boot/vmlinuz-$release")
	export SOURCE_DATE_EPOCH release
	depmod -b "$2" "$release"
}

# wanted_modules LIST ROOT: the files for the initrd, relative to lib/modules/RELEASE, dependencies included.
wanted_modules() {
	local word words base="$2/lib/modules/$release" names=''
	words=$(sed 's/#.*//' "$1")
	: >"$2/wanted"
	: >"$2/unwanted"
	for word in $words; do
		case $word in
		!*) find "$base/kernel/${word#!}" -name '*.ko' >>"$2/unwanted" 2>/dev/null || true ;; # not in every kernel
		*/) find "$base/kernel/$word" -name '*.ko' >>"$2/wanted" 2>/dev/null || true ;;
		*) names="$names $word" ;;
		esac
	done
	grep -vxFf "$2/unwanted" "$2/wanted" >"$2/kept" || true # nothing left is caught by the size of the initrd
	for word in $names $(sed 's,.*/,,; s,\.ko$,,' "$2/kept"); do
		modprobe -d "$2" -S "$release" --show-depends "$word" 2>/dev/null || note "$release has no module $word"
	done | sed -n "s,^insmod $base/\([^ ]*\).*,\1,p" | LC_ALL=C sort -u
}

# initrd_make ROOT LIST FILE SOURCES [FIRMWARE]: stage 1 with the modules of LIST (and firmware) as a cpio, zstd.
initrd_make() {
	local tree="$1/initrd" file
	busybox_root "$tree"
	install -m 0755 "$4/initramfs/init" "$tree/init"
	mkdir -p "$tree/lib/anybios" "$tree/lib/modules/$release"
	install -m 0755 "$4/initramfs/stage1" "$4/initramfs/dhcp-script" "$tree/lib/anybios/"
	install -m 0644 "$4"/initramfs/lib/*.sh "$tree/lib/anybios/"
	wanted_modules "$2" "$1" | while read -r file; do
		install -D -m 0644 "$1/lib/modules/$release/$file" "$tree/lib/modules/$release/$file"
	done
	for file in modules.builtin modules.builtin.modinfo modules.order; do
		cp "$1/lib/modules/$release/$file" "$tree/lib/modules/$release/"
	done
	depmod -b "$tree" "$release"
	rm "$tree/lib/modules/$release/"*.bin # kmod's indexes; busybox reads the text
	[ -z "${5-}" ] || cp -R "$5" "$tree/lib/firmware"
	settle "$tree"
	(cd "$tree" && find . | LC_ALL=C sort | cpio --quiet --reproducible -o -H newc -R 0:0) >"$1/initrd.cpio" || die 'cpio failed'
	zstd -q -19 -T1 --no-progress -f "$1/initrd.cpio" -o "$3" || die 'zstd failed'
}

# modules_make ROOT FILE [FIRMWARE]: lib/modules as stage 1 mounts it there: RELEASE/ and, if there is any, firmware/.
modules_make() {
	[ -z "${3-}" ] || cp -R "$3" "$1/lib/modules/firmware"
	squash "$1/lib/modules" "$2"
}
