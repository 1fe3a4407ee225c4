# shellcheck shell=dash
# What control does on this live OS (docs/control.md): systems are units of systemd. Every function leaves its failure in `reason`.
for library in cgroup enter unit storage move; do
	# shellcheck source=/dev/null
	. "${anybios_lib:-/lib/anybios}/$library.sh"
done
server=$(sed -n 's/^anybios\.server=//p' "$anybios_run/cmdline" 2>/dev/null | tail -n 1)

# system_known NAME
system_known() {
	is_system_name "$1" && [ -d "$anybios_run/systems/$1" ]
}

# system_state NAME
system_state() {
	read_line "$anybios_run/systems/$1/state" starting
}

# system_failure NAME: why it does not run.
system_failure() {
	reason=$(read_line "$anybios_run/systems/$1/message")
	reason=${reason:-it does not run}
}

# system_start NAME: returns when it runs or has failed.
system_start() {
	local folder="$anybios_run/systems/$1"
	if [ ! -e "$units/$(unit_of "$1")" ]; then
		reason='it is still being composed'
		return 1
	fi
	rm -f "$folder/delay" "$folder/failures" "$folder/stopping"
	systemctl start "$(unit_of "$1")" 2>/dev/null || {
		system_failure "$1"
		return 1
	}
}

# system_stop NAME SECONDS
system_stop() {
	local unit end
	unit=$(unit_of "$1")
	: >"$anybios_run/systems/$1/stopping"
	systemctl stop "anybios-up-$1.service" 2>/dev/null || true # it has ended long ago
	cgroup_thaw "$(unit_cgroup "$1")"
	systemctl is-active --quiet "$unit" || {
		systemctl stop "$unit" 2>/dev/null || true # it never started
		rm -f "$anybios_run/systems/$1/stopping"
		[ "$(system_state "$1")" = stopped ] || set_state "$1" stopped
		return 0
	}
	if [ "$(kv_get "$anybios_run/systems/$1/definition" kind)" = vm ]; then
		# Its unit knows how a VM ends, and when that takes too long.
		systemctl stop "$unit"
		return
	fi
	systemctl kill --kill-who=all --signal=SIGTERM "$unit" 2>/dev/null || true # it ends by itself just now
	systemctl stop --no-block "$unit"
	end=$(($(uptime_s) + $2))
	while [ "$(uptime_s)" -lt "$end" ]; do
		case $(systemctl show --property=ActiveState --value "$unit") in
		active | deactivating) sleep 0.2 ;;
		*) return 0 ;;
		esac
	done
	# `ended`, which tells the server, is a process of the unit too.
	[ "$(systemctl show --property=SubState --value "$unit")" = stop-post ] ||
		systemctl kill --kill-who=all --signal=SIGKILL "$unit" 2>/dev/null || true # it ended meanwhile
	systemctl stop "$unit"
}

# system_kill NAME
system_kill() {
	systemctl kill --kill-who=all --signal=SIGKILL "$(unit_of "$1")" 2>/dev/null || {
		reason='it does not run'
		return 1
	}
}

# system_pause NAME: by the freezer of its cgroup, a VM with all its processors.
system_pause() {
	[ "$(system_state "$1")" = running ] || {
		reason="it is $(system_state "$1")"
		return 1
	}
	# Not by systemctl: its freeze and thaw want a message bus, which this live OS does without.
	cgroup_freeze "$(unit_cgroup "$1")" || return 1
	set_state "$1" paused
}

system_resume() {
	[ "$(system_state "$1")" = paused ] || {
		reason="it is $(system_state "$1")"
		return 1
	}
	cgroup_thaw "$(unit_cgroup "$1")"
	set_state "$1" running
}

# system_limit NAME MEMORY_BYTES CPUS
system_limit() {
	local memory=$2 name=$1 cpus=$3
	if [ "$(kv_get "$anybios_run/systems/$1/definition" kind)" = vm ] && [ -n "$memory" ]; then
		reason='the RAM of a VM changes at its next start only'
		return 1
	fi
	set --
	case $memory in
	'') ;;
	none) set -- MemoryMax=infinity ;;
	*) set -- "MemoryMax=$memory" ;;
	esac
	case $cpus in
	'') ;;
	none) set -- "$@" CPUQuota= ;;
	*) set -- "$@" "CPUQuota=$(cpu_percent "$cpus")" ;;
	esac
	systemctl set-property --runtime "$(unit_of "$name")" "$@" 2>"$anybios_run/limit.errors" || {
		reason=$(head -n 1 "$anybios_run/limit.errors")
		return 1
	}
}

# system_exec NAME PROGRAM ARG…
system_exec() {
	if [ "$(kv_get "$anybios_run/systems/$1/definition" kind)" = vm ]; then
		reason='nobody runs commands inside a VM; use its console'
		return 1
	fi
	(enter "$@")
}

# system_console NAME: a shell inside, or the serial port of a VM.
system_console() {
	if [ "$(kv_get "$anybios_run/systems/$1/definition" kind)" = vm ]; then
		exec socat "STDIO,raw,echo=0,escape=0x1d" "UNIX-CONNECT:$anybios_run/systems/$1/console"
	fi
	(enter "$1" /bin/sh -i)
}

# follow FOLLOW: an option of journalctl and tail.
system_log() {
	local follow=''
	[ "$3" != yes ] || follow=-f
	if [ "$(kv_get "$anybios_run/systems/$1/definition" kind)" = vm ]; then
		# shellcheck disable=SC2086 # an option or nothing
		tail -n "$2" $follow "$anybios_run/systems/$1/console.log"
	else
		# shellcheck disable=SC2086
		journalctl --quiet --no-pager --output=cat --lines="$2" $follow SYSLOG_IDENTIFIER="$1" _TRANSPORT=stdout
	fi
}

machine_log() {
	local follow=''
	[ "$2" != yes ] || follow=-f
	# shellcheck disable=SC2086
	journalctl --quiet --no-pager --output=short-precise --lines="$1" $follow
}

machine_refresh() {
	/lib/anybios/refresh all 3 || {
		reason='the server did not say what shall run here'
		return 1
	}
}

machine_reboot() {
	systemctl reboot
}

machine_poweroff() {
	systemctl poweroff
}
