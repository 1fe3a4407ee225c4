# shellcheck shell=dash
# The end of stage 1: the new root, and who becomes PID 1 in it.

# mount_root: the root file system at /newroot: template or live OS below, RAM above, the modules of this kernel inside.
mount_root() {
	local lower
	lower=$(image_mount "$(kv_get "$claim_file" rootfs-sha256)") || {
		reason='rootfs: the squashfs does not mount'
		return 1
	}
	mkdir -p "$anybios_run/root" /newroot
	mount -t tmpfs -o mode=0755,size=50% root "$anybios_run/root"
	if [ "$mode" = single ]; then fill_single "$anybios_run/root/upper" || return 1; fi
	overlay "$lower" "$anybios_run/root" /newroot || return 1
	bind_modules
}

# bind_modules: those of this kernel into the new root, and what every root must have.
bind_modules() {
	mkdir -p /newroot/lib/modules /newroot/proc /newroot/sys /newroot/dev /newroot/run /newroot/etc
	mount --bind "$modules_place" /newroot/lib/modules || {
		reason='modules do not mount into the new root'
		return 1
	}
	# Drivers ask for firmware later too (a link that comes up again); it lies with the modules, whatever the root is.
	if [ -d "$modules_place/firmware" ]; then
		echo /lib/modules/firmware >/sys/module/firmware_class/parameters/path
	fi
}

# move_mounts: the kernel's file systems go to the new root. Bound, then detached here: in between both places work.
move_mounts() {
	local place
	for place in "$@"; do
		mount --rbind "$place" "/newroot$place" && umount -l "$place"
	done
}

# hand_over_resident: the live OS is PID 1 and keeps what stage 1 knows in /run/anybios (credential, claim, network).
hand_over_resident() {
	cp /etc/resolv.conf /newroot/etc/resolv.conf 2>/dev/null || : >/newroot/etc/resolv.conf
	say 'handing over to the live OS'
	move_mounts /run /proc /sys /dev
	exec env -i PATH="$PATH" HOME=/root TERM=linux switch_root -c /dev/console /newroot /sbin/init
}

# fill_single UPPER: the one system's definition and its own layer.
fill_single() {
	local system="$anybios_run/system" name
	name=$(kv_get "$claim_file" system)
	[ -n "$name" ] || {
		reason='single mode, but the server named no system'
		return 1
	}
	if ! agent GET "systems/$name" "$system" || ! agent GET "systems/$name/files.tar" "$anybios_run/files.tar"; then
		reason="system $name: $http_error"
		return 1
	fi
	[ "$(command_length "$system")" -gt 0 ] || {
		reason="system $name has no command"
		return 1
	}
	mkdir -p "$1"
	layer_fill "$anybios_run/files.tar" "$1" || return 1
	network_files "$1" "$name"
}

# network_files UPPER NAME: the machine's network is the system's: name service and names, unless its definition has them.
network_files() {
	layer_default "$1" etc/resolv.conf "$(cat /etc/resolv.conf 2>/dev/null)"
	layer_default "$1" etc/hostname "$(hostname)"
	layer_default "$1" etc/hosts "127.0.0.1 localhost
127.0.1.1 $(hostname)"
}

# keep_lease_in_root NAME: an address by DHCP must be renewed after the hand-over, and stage 1 is gone then: its files are
# deleted by switch_root, so a udhcpc of ours could not call its script any more. The template's own udhcpc is started inside
# the new root while that is still a folder of ours: processes keep their root over switch_root, and PID 1 adopts it.
# Its script must leave the address alone until it has a lease (the `base` template's does).
keep_lease_in_root() {
	local program script=/usr/share/udhcpc/default.script
	for program in /sbin/udhcpc /usr/sbin/udhcpc /bin/udhcpc /usr/bin/udhcpc; do
		if [ -L "/newroot$program" ] || [ -x "/newroot$program" ]; then
			[ -r "/newroot$script" ] || break
			is_mounted /newroot/proc || mount --rbind /proc /newroot/proc
			chroot /newroot "$program" -b -i "$nic" -r "$(kv_get "$anybios_run/network" address)" -x "hostname:$(hostname)" \
				-p /run/udhcpc.pid -s "$script" </dev/null >/dev/null 2>&1 && return 0
		fi
	done
	say "the system $1 has no udhcpc: its address is not renewed unless its command does it"
}

# hand_over_single: the one system gets the machine.
hand_over_single() {
	local name
	name=$(kv_get "$claim_file" system)
	find_command "$anybios_run/system" || {
		reason="system $name: $reason"
		return 1
	}
	break_here systems
	if [ "$(kv_get "$anybios_run/network" method)" = dhcp ]; then keep_lease_in_root "$name"; fi
	report_surely systems handed-over system "$name" state handed-over || say "the server was not told: $http_error"
	say "handing the machine over to system $name: $(kv_all "$anybios_run/system" arg | tr '\n' ' ')"
	become_command "$anybios_run/system"
}

# find_command DEFINITION: sets `program`, its absolute path in the new root. `reason` says why not.
find_command() {
	program=$(find_program "$(kv_get "$1" arg)" "$(kv_all "$1" env | sed -n 's/^PATH=//p')") || {
		reason="its command $(kv_get "$1" arg) is not in the template"
		return 1
	}
}

# become_command DEFINITION: its command is PID 1 with the environment of its definition and nothing else, in /, and nothing of ours
# stays: no credential, no images in sight. Comes back only when there is no such command; `reason` says so.
become_command() {
	local arg
	find_command "$1" || return 1
	is_mounted /newroot/proc || mount --rbind /proc /newroot/proc
	mount --rbind /sys /newroot/sys
	mount --rbind /dev /newroot/dev
	kv_all "$1" arg | sed 1d >"$anybios_run/arguments"
	kv_all "$1" env >"$anybios_run/environment"
	set -- /bin/busybox switch_root -c /dev/console /newroot "$program"
	while IFS= read -r arg; do set -- "$@" "$arg"; done <"$anybios_run/arguments"
	while IFS= read -r arg; do set -- "$arg" "$@"; done <"$anybios_run/environment"
	umount -l /run
	umount -l /proc
	umount -l /sys
	umount -l /dev
	exec env -i "$@"
}

# find_program COMMAND PATH: its absolute path inside /newroot: switch_root looks nowhere. Links are taken as they are: they
# are right only inside.
find_program() {
	local folder
	case $1 in
	/*)
		printf '%s\n' "$1"
		[ -L "/newroot$1" ] || [ -x "/newroot$1" ]
		return
		;;
	esac
	set -f
	IFS=:
	for folder in ${2:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}; do
		if [ -L "/newroot$folder/$1" ] || [ -x "/newroot$folder/$1" ]; then
			unset IFS
			set +f
			printf '%s\n' "$folder/$1"
			return 0
		fi
	done
	unset IFS
	set +f
	return 1
}
