# shellcheck shell=dash
# Systems as units of systemd, all in anybios.slice: anybios-system-NAME.service and what belongs to it.

units=/run/systemd/system

# unit_of NAME
unit_of() {
	echo "anybios-system-$1.service"
}

# unit_cgroup NAME: its folder below /sys/fs/cgroup.
unit_cgroup() {
	echo "/sys/fs/cgroup/anybios.slice/$(unit_of "$1")"
}

# unit_gather NAME: moves this process to where over its memory the whole system is killed, it alone. Not by OOMPolicy=kill: a systemd
# that hears of the end before it hears of the memory kills `ended` for it. Not in the unit's own cgroup: a daemon-reload unsets it there.
unit_gather() {
	local cgroup
	cgroup=$(unit_cgroup "$1")
	{ mkdir -p "$cgroup/system" && echo 0 >"$cgroup/system/cgroup.procs" && echo +memory >"$cgroup/cgroup.subtree_control" &&
		echo 1 >"$cgroup/system/memory.oom.group"; } 2>/dev/null
}

# unit_limits DEFINITION: the lines for memory and processors. A VM's memory is its RAM; QEMU itself needs some beside it.
unit_limits() {
	local memory cpus
	memory=$(kv_get "$1" memory-bytes)
	cpus=$(kv_get "$1" cpus)
	if [ -n "$memory" ]; then
		[ "$(kv_get "$1" kind)" != vm ] || memory=$((memory + 268435456))
		echo "MemoryMax=$memory"
	fi
	[ -z "$cpus" ] || echo "CPUQuota=$(cpu_percent "$cpus")"
}

# cpu_percent CPUS: as systemd takes it; fractions too.
cpu_percent() {
	awk -v cpus="$1" 'BEGIN { printf "%d%%\n", (cpus * 100 < 1 ? 1 : cpus * 100) }'
}

# unit_restart DEFINITION
unit_restart() {
	case $(kv_get "$1" restart always) in
	never) echo no ;;
	*) kv_get "$1" restart always ;;
	esac
}

# unit_ends DEFINITION NAME: a VM with an operating system of its own is asked to shut down; QEMU's end would be a power cut to it. Where
# the command of the definition is process 1, nobody would hear that.
unit_ends() {
	if [ "$(kv_get "$1" kind)" = vm ] && [ -z "$(kv_get "$1" append)" ]; then echo "ExecStop=/lib/anybios/shut-down $2"; fi
}

# unit_companion NAME SUFFIX PROGRAM...: a unit that lives as long as the system does.
unit_companion() {
	local name=$1 suffix=$2
	shift 2
	cat >"$units/anybios-system-$name-$suffix.service" <<-END
		[Unit]
		Description=$suffix of system $name
		BindsTo=$(unit_of "$name")
		After=$(unit_of "$name")
		[Service]
		Environment=PATH=$PATH
		ExecStart=$*
		Restart=on-failure
		RestartSec=1
	END
}

# unit_write NAME: from its definition; systemd has read it when this returns.
unit_write() {
	local name=$1 definition="$anybios_run/systems/$1/definition" kind companions=''
	kind=$(kv_get "$definition" kind)
	if [ -n "$(kv_get "$definition" health)" ]; then
		unit_companion "$name" health /lib/anybios/health "$name" watch
		companions="$companions anybios-system-$name-health.service"
	fi
	if [ "$kind" = container ] && [ "$(kv_get "$definition" network host)" = bridge ] && [ -z "$(kv_get "$definition" address)" ]; then
		unit_companion "$name" dhcp ip netns exec "anybios-$name" udhcpc -f -i eth0 -x "hostname:$name" -s /lib/anybios/system-dhcp
		sed -i "s,^Environment=,Environment=anybios_root=/systems/$name ," "$units/anybios-system-$name-dhcp.service"
		# It must have its address before the first health check, so it does not wait for it.
		sed -i '/^After=/d' "$units/anybios-system-$name-dhcp.service"
		companions="$companions anybios-system-$name-dhcp.service"
	fi
	cat >"$units/$(unit_of "$name")" <<-END
		[Unit]
		Description=system $name ($kind)
		After=anybios-agent.service
		StartLimitIntervalSec=0
		${companions:+Wants=$companions}
		[Service]
		Type=exec
		Slice=anybios.slice
		Environment=PATH=$PATH
		ExecStartPre=/lib/anybios/before $name
		ExecStart=/lib/anybios/launch $name
		ExecStartPost=/lib/anybios/started $name
		$(unit_ends "$definition" "$name")
		ExecStopPost=/lib/anybios/ended $name
		Restart=$(unit_restart "$definition")
		RestartSec=100ms
		TimeoutStartSec=infinity
		TimeoutStopSec=$(if [ "$kind" = chroot ]; then echo 5; else echo 15; fi)
		OOMPolicy=continue
		OOMScoreAdjust=0
		MemorySwapMax=0
		Delegate=yes
		SyslogIdentifier=$name
		$(unit_limits "$definition")
	END
	systemctl daemon-reload
}

# system_take_down NAME: stopped, its mounts and networks gone; its folder with the definition stays.
system_take_down() {
	local name=$1 folder="$anybios_run/systems/$1"
	systemctl stop "anybios-up-$name.service" 2>/dev/null || true # it has ended long ago
	: >"$folder/stopping"
	systemctl stop "$(unit_of "$name")" 2>/dev/null || true # its unit was never written
	rm -f "$units/$(unit_of "$name")" "$units/anybios-system-$name-"*.service
	# Limits that were set while it ran would hold for the next one too.
	rm -rf "/run/systemd/system.control/$(unit_of "$name").d"
	systemctl daemon-reload
	if is_mounted "/systems/$name"; then umount -l "/systems/$name"; fi
	if is_mounted "$folder/layer"; then umount "$folder/layer" || umount -l "$folder/layer"; fi
	ip netns del "anybios-$name" 2>/dev/null || true # it had the machine's network
	if [ -e "$folder/link" ]; then ip link del "$(cat "$folder/link")" 2>/dev/null || true; fi # gone with its namespace
	rm -rf "$folder/layer" "$folder/files.tar" "$folder/definition" "$folder/nat" "$folder/link" "$folder/stopping"
	[ ! -e "$anybios_run/nat-up" ] || nat_render
}
