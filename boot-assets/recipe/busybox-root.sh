# shellcheck shell=dash
# The skeleton of every file system here: busybox with a link for each of its programs, and the few files programs expect.

# busybox_root DIR
busybox_root() {
	local applet folder
	for folder in bin sbin usr/bin usr/sbin etc proc sys dev run tmp root var lib/modules; do mkdir -p "$1/$folder"; done
	chmod 0700 "$1/root"
	chmod 1777 "$1/tmp"
	install -m 0755 /bin/busybox "$1/bin/busybox"
	/bin/busybox --list-full | while read -r applet; do
		case $applet in
		bin/busybox | linuxrc) continue ;;
		*/*) ln -s /bin/busybox "$1/$applet" ;;
		esac
		# In /bin too: nobody should have to know that busybox files its httpd under /usr/sbin.
		[ -L "$1/bin/${applet##*/}" ] || ln -s /bin/busybox "$1/bin/${applet##*/}"
	done
	echo 'root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/false' >"$1/etc/passwd"
	echo 'root:x:0:
tty:x:5:
nogroup:x:65534:' >"$1/etc/group"
	echo 'hosts: files dns' >"$1/etc/nsswitch.conf"
	echo '127.0.0.1 localhost' >"$1/etc/hosts"
}

# with_libraries TREE PROGRAM…: programs of this machine with the libraries that they load, at the same places.
with_libraries() {
	local tree=$1 program file
	shift
	for program in "$@"; do
		install -D -m 0755 "$program" "$tree$program"
		for file in $(ldd "$program" | sed -n 's,.* => \(/[^ ]*\) .*,\1,p; s,^[[:space:]]*\(/[^ ]*\) .*,\1,p'); do
			[ -e "$tree$file" ] || install -D -m 0755 "$(realpath "$file")" "$tree$file"
		done
	done
}

# settle DIR: owner root and one date for everything, so that the same inputs give the same bytes.
settle() {
	chown -hR 0:0 "$1"
	find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
}

# squash DIR FILE [LEVEL]: zstd, because a machine in software emulation reads it three times faster than xz, for a tenth more bytes.
# mksquashfs takes its dates from SOURCE_DATE_EPOCH.
squash() {
	settle "$1"
	rm -f "$2"
	mksquashfs "$1" "$2" -noappend -all-root -no-xattrs -comp zstd -Xcompression-level "${3:-19}" -b 256K -quiet -no-progress >&2 ||
		die "mksquashfs failed for $2"
}
