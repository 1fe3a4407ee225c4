# shellcheck shell=dash
# How this live OS stops all systems at once: their networks go with them, an address must not answer any more. They are composed anew
# when the lease is there again.

# lease_systems_run: whether a process of any system is left.
lease_systems_run() {
	grep -q 'populated 1' /sys/fs/cgroup/anybios.slice/cgroup.events 2>/dev/null
}

# lease_stop_all: asks them to end; systemd starts none of them again.
lease_stop_all() {
	systemctl stop --no-block 'anybios-up-*.service' 'anybios-system-*.service' 2>/dev/null || true # there is none
}

# lease_kill_all: and ends them.
lease_kill_all() {
	echo 1 >/sys/fs/cgroup/anybios.slice/cgroup.kill
}

# lease_stopped: takes apart what they ran in.
lease_stopped() {
	local folder name
	for folder in "$anybios_run"/systems/*/; do
		[ -d "$folder" ] || continue
		name=${folder%/}
		name=${name##*/}
		system_take_down "$name"
		rm -rf "$folder"
	done
	rm -f "$anybios_run/systems.order"
}

# lease_resumed: what the server wants now. Status 1: another refresh is under way; that one may have begun before.
lease_resumed() {
	systemd-run --quiet --collect --unit=anybios-refresh --setenv=PATH="$PATH" /lib/anybios/refresh 2>/dev/null
}
