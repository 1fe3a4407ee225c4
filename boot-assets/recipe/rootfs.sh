# shellcheck shell=dash
# Root file systems: the live OS `micro` and the template `base`.

# base_make TREE FILE SOURCES: busybox, all programs, a udhcpc script: what a small system needs to be whole.
base_make() {
	busybox_root "$1"
	install -D -m 0755 "$3/base/default.script" "$1/usr/share/udhcpc/default.script"
	mkdir -p "$1/etc/udhcpc" "$1/var/log" "$1/var/tmp" "$1/usr/local/bin" "$1/srv"
	chmod 1777 "$1/var/tmp"
	ln -s /usr/share/udhcpc/default.script "$1/etc/udhcpc/default.script" # where Debian's busybox looks
	echo 'A small system from the anybios template "base": busybox.' >"$1/etc/motd"
	squash "$1" "$2"
}

# micro_make TREE FILE SOURCES: the resident live OS: busybox init, our supervisor, the words it shares with stage 1.
micro_make() {
	busybox_root "$1"
	mkdir -p "$1/lib/anybios/systems" "$1/systems"
	install -m 0644 "$3"/initramfs/lib/*.sh "$3"/live/lib/*.sh "$1/lib/anybios/"
	install -m 0755 "$3/initramfs/dhcp-script" "$1/lib/anybios/"
	find "$3/live" -maxdepth 1 -type f ! -name inittab -exec install -m 0755 -t "$1/lib/anybios" {} +
	find "$3/live/systems" -type f -name '*.sh' -exec install -m 0644 -t "$1/lib/anybios/systems" {} +
	find "$3/live/systems" -type f ! -name '*.sh' -exec install -m 0755 -t "$1/lib/anybios/systems" {} +
	# Stage 1 alone uses these.
	(cd "$1/lib/anybios" && rm ip-arg.sh claim.sh discover.sh hand-over.sh vm.sh)
	install -m 0644 "$3/live/inittab" "$1/etc/inittab"
	with_libraries "$1" /usr/sbin/dropbear /usr/bin/dropbearkey
	squash "$1" "$2"
}
