# shellcheck shell=dash
# Stage 1 inside a VM that a live OS started (anybios.vm=NAME): nobody is claimed, nothing is fetched. All of it lies on disks that
# are told by their serial: template, modules, own (a tar), perhaps layer and data. See docs/systems.md.

# vm_disk SERIAL: the device with this serial.
vm_disk() {
	local path
	for path in /sys/block/vd*; do
		if [ "$(cat "$path/serial" 2>/dev/null)" = "$1" ]; then
			echo "/dev/${path##*/}"
			return 0
		fi
	done
	return 1
}

# vm_mount SERIAL: a squashfs from its disk; prints where.
vm_mount() {
	local device
	device=$(vm_disk "$1") || return 1
	mkdir -p "$anybios_run/vm/$1"
	mount -t squashfs -o ro "$device" "$anybios_run/vm/$1" || return 1
	echo "$anybios_run/vm/$1"
}

# vm_network: by the command line, like a machine's; a VM without a card it can use goes on without.
vm_network() {
	nic=''
	parse_ip "$(getarg ip)" >"$anybios_run/ip" || return 1
	find_nic "$(getarg BOOTIF)" '' || return 1
	nic=$(kv_get "$anybios_run/network" nic)
	link_up "$nic" || return 1
	case $(kv_get "$anybios_run/ip" method) in
	static) static_network "$nic" "$anybios_run/ip" ;;
	*) dhcp_network "$nic" "$(getarg anybios.vm)" ;;
	esac
}

# vm_root: the overlay at /newroot. What is written lies on the disk `data` if there is one, else in RAM.
vm_root() {
	local template layer='' data size upper="$anybios_run/root/upper"
	template=$(vm_mount template) || {
		reason='the template does not mount: not a squashfs?'
		return 1
	}
	modules_place=$(vm_mount modules) || {
		reason='the modules do not mount'
		return 1
	}
	if vm_disk layer >/dev/null; then
		layer=$(vm_mount layer) || {
			reason='the layer does not mount: not a squashfs?'
			return 1
		}
	fi
	mkdir -p "$anybios_run/root" /newroot
	if data=$(vm_disk data); then
		modprobe -q ext4 || true # built in, or the mount says why not
		mount -t ext4 -o noatime "$data" "$anybios_run/root" || {
			reason='the data disk does not mount'
			return 1
		}
	else
		size=$(kv_get "$anybios_run/own/definition" layer-bytes 50%)
		mount -t tmpfs -o "mode=0755,size=$size" root "$anybios_run/root"
	fi
	mkdir -p "$upper"
	layer_fill "$anybios_run/own/files.tar" "$upper" || return 1
	network_files "$upper" "$(getarg anybios.vm)"
	overlay "${layer:+$layer:}$template" "$anybios_run/root" /newroot || return 1
	bind_modules
}

# vm_boot: never comes back.
vm_boot() {
	local own
	modprobe -q virtio_blk || true # built in, or no disk is found
	coldplug
	say "a virtual machine: system $(getarg anybios.vm)"
	own=$(vm_disk own) || fail stage1 'there is no disk with the serial "own": this command line is for VMs of a live OS'
	mkdir -p "$anybios_run/own"
	tar -xf "$own" -C "$anybios_run/own" || fail stage1 'the disk with its own files is damaged'
	vm_network || fail stage1 "$reason"
	hostname "$(kv_get "$anybios_run/network" hostname "$(getarg anybios.vm)")"
	say "network: $nic has $(kv_get "$anybios_run/network" address)"
	vm_root || fail rootfs "$reason"
	if [ "$(kv_get "$anybios_run/network" method)" = dhcp ]; then keep_lease_in_root "$(getarg anybios.vm)"; fi
	become_command "$anybios_run/own/definition" || fail rootfs "$reason"
}
