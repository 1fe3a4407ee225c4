# shellcheck shell=dash
# Systems of kind chroot: a root file system of their own (shared template, own layer), mounts and processes of their own;
# kernel and network are the machine's.

# chroot_compose NAME: its root at /systems/NAME. `reason` says why not.
chroot_compose() {
	local layer="$folder/layer" lower limit digest
	# Started again after a change: what was composed from another definition is taken apart first. (Limits change while it runs.)
	digest=$(kv_get "$definition" digest)
	[ "$(read_line "$folder/composed")" = "${digest%.*}" ] || chroot_take_apart "$1"
	lower=$(image_mount "$(kv_get "$definition" image-sha256)") || {
		reason='its image does not mount: not a squashfs?'
		return 1
	}
	if ! is_mounted "/systems/$1"; then
		mkdir -p "$layer"
		# What it writes is RAM: never more than its own limit, nor half of the machine.
		limit=$(kv_get "$definition" memory-bytes 50%)
		is_mounted "$layer" || mount -t tmpfs -o "mode=0755,size=$limit" "layer-$1" "$layer"
		mkdir -p "$layer/upper"
		layer_fill "$folder/files.tar" "$layer/upper" || return 1
		layer_default "$layer/upper" etc/resolv.conf "$(cat /etc/resolv.conf)"
		layer_default "$layer/upper" etc/hostname "$(hostname)"
		layer_default "$layer/upper" etc/hosts "127.0.0.1 localhost
127.0.1.1 $(hostname)"
		mkdir -p "$layer/upper/proc" "$layer/upper/sys" "$layer/upper/dev"
		overlay "$lower" "$layer" "/systems/$1" || return 1
		put "$folder/composed" "${digest%.*}"
	fi
}

# chroot_take_apart NAME: what it has written in RAM goes too.
chroot_take_apart() {
	umount "/systems/$1" 2>/dev/null || true # never composed
	umount "$anybios_run/systems/$1/layer" 2>/dev/null || true # the same
}

# chroot_launch NAME: becomes the system. Its own process table (-p) hides the live OS: its credential stands in the
# arguments of a running wget, and /proc/1/root leads to its files; it also makes the end of the command the end of all.
chroot_launch() {
	exec unshare -m -p -f --propagation private /lib/anybios/systems/chroot-enter "$1"
}
