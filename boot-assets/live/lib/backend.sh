# shellcheck shell=dash
# What jobs do on `micro` (docs/control.md, "What every live OS implements"): systems are process groups in a cgroup each, kept by
# run-system. `reason` says why not.
for library in cgroup cmdline lock select digest systems/chroot; do
	# shellcheck source=/dev/null
	. "${anybios_lib:-/lib/anybios}/$library.sh"
done
server=$(sed -n 's/^anybios\.server=//p' "$anybios_run/cmdline" 2>/dev/null | tail -n 1)

system_known() {
	system_names | grep -qxF -- "$1"
}

# system_names: those of this machine now, one a line: the supervisor writes them at the start, a refresh anew.
system_names() {
	[ ! -r "$anybios_run/system-names" ] || cat "$anybios_run/system-names"
}

system_state() {
	read_line "$anybios_run/systems/$1/state" stopped
}

# keeper_alive NAME
keeper_alive() {
	local pid
	pid=$(read_line "$anybios_run/systems/$1/keeper")
	[ -n "$pid" ] && [ -d "/proc/$pid" ]
}

system_start() {
	local folder="$anybios_run/systems/$1" state
	mkdir -p "$folder"
	if ! keeper_alive "$1"; then
		rm -f "$folder/wanted"
		put "$folder/state" starting
		setsid /lib/anybios/run-system "$1" </dev/null >/dev/null 2>&1 &
	elif [ "$(system_state "$1")" = paused ]; then
		system_resume "$1" || return 1
	fi
	while :; do
		state=$(system_state "$1")
		case $state in
		running) return 0 ;;
		failed)
			reason=$(read_line "$folder/message" failed)
			return 1
			;;
		stopped)
			# It has ended already, and well.
			read_line "$folder/message"
			return 0
			;;
		esac
		sleep 0.1
	done
}

system_stop() {
	local folder="$anybios_run/systems/$1" cgroup="/sys/fs/cgroup/systems/$1" end
	mkdir -p "$folder"
	put "$folder/wanted" stopped
	cgroup_thaw "$cgroup"
	end=$(($(uptime_s) + $2))
	if cgroup_populated "$cgroup"; then
		cgroup_signal "$cgroup" TERM
		while cgroup_populated "$cgroup" && cgroup_catches_term "$cgroup" && [ "$(uptime_s)" -lt "$end" ]; do sleep 0.1; done
	fi
	cgroup_empty "$cgroup"
	# Its keeper tells the end, unless it waits for something (a download, the next try).
	end=$(($(uptime_s) + 3))
	while keeper_alive "$1" && [ "$(system_state "$1")" != starting ] && [ "$(uptime_s)" -lt "$end" ]; do sleep 0.1; done
	if keeper_alive "$1"; then
		kill -KILL "$(read_line "$folder/keeper")"
		cgroup_empty "$cgroup"
	fi
	[ "$(system_state "$1")" = stopped ] || set_state "$1" stopped 'stopped by a job'
}

system_kill() {
	local cgroup="/sys/fs/cgroup/systems/$1"
	cgroup_populated "$cgroup" || {
		reason="system $1 does not run"
		return 1
	}
	cgroup_empty "$cgroup"
	cgroup_thaw "$cgroup"
}

system_pause() {
	case $(system_state "$1") in
	paused) return 0 ;;
	running) ;;
	*)
		reason="system $1 does not run"
		return 1
		;;
	esac
	cgroup_freeze "/sys/fs/cgroup/systems/$1" || return 1
	set_state "$1" paused
}

system_resume() {
	[ "$(system_state "$1")" = paused ] || {
		[ "$(system_state "$1")" = running ] && return 0
		reason="system $1 is not paused"
		return 1
	}
	cgroup_thaw "/sys/fs/cgroup/systems/$1"
	set_state "$1" running
}

system_limit() {
	local cgroup="/sys/fs/cgroup/systems/$1" memory=$2 cpus=$3
	if [ "$memory" = none ]; then
		memory=''
		echo max >"$cgroup/memory.max" || {
			reason='the kernel refused to lift the memory limit'
			return 1
		}
	fi
	if [ "$cpus" = none ]; then
		cpus=''
		echo 'max 100000' >"$cgroup/cpu.max" || {
			reason='the kernel refused to lift the limit of processors'
			return 1
		}
	fi
	cgroup_limit "$cgroup" "$memory" "$cpus"
}

# system_exec NAME PROGRAM ARG…: in its namespaces, its root and its cgroup (limits, pause and stop count for it too).
system_exec() {
	local name=$1 folder="$anybios_run/systems/$1" inner variable
	shift
	inner=$(system_inner "$name")
	if [ -z "$inner" ] || [ "$(system_state "$name")" != running ]; then
		reason="system $name does not run"
		return 126
	fi
	kv_all "$folder/definition" env >"$folder/environment.$$"
	while IFS= read -r variable; do set -- "$variable" "$@"; done <"$folder/environment.$$"
	rm -f "$folder/environment.$$"
	set -- env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM="${TERM:-dumb}" "$@"
	(
		echo 0 >"/sys/fs/cgroup/systems/$name/cgroup.procs" || exit 126
		exec nsenter -t "$inner" -m -p -r -w -- "$@"
	)
}

# system_inner NAME: the first process of its process table: the child of the `unshare` that run-system started.
system_inner() {
	local outer pid
	outer=$(read_line "$anybios_run/systems/$1/pid")
	[ -n "$outer" ] || return 0
	while read -r pid; do
		grep -qx "PPid:	$outer" "/proc/$pid/status" 2>/dev/null || continue
		echo "$pid"
		return 0
	done <"/sys/fs/cgroup/systems/$1/cgroup.procs"
}

system_console() {
	system_exec "$1" /bin/sh -l
}

system_log() { # NAME LINES FOLLOW
	local log="$anybios_run/systems/$1/log"
	: >>"$log"
	if [ "$3" = yes ]; then exec tail -n "$2" -F "$log"; fi
	cat "$log.1" "$log" 2>/dev/null | tail -n "$2"
}

machine_log() { # LINES FOLLOW
	if [ "$2" = yes ]; then exec tail -n "$1" -F "$anybios_run/log"; fi
	cat "$anybios_run/log.1" "$anybios_run/log" 2>/dev/null | tail -n "$1"
}

machine_reboot() {
	reboot
}

machine_poweroff() {
	poweroff
}

# machine_refresh: what the server wants now, new versions of images too.
machine_refresh() {
	refresh all
}

# refresh all|definitions: makes this machine run what the server names now: starts what is new, stops what is gone, composes anew
# what has another definition (`all`: or other images), and sets limits where only they differ. The rest goes on. The first
# failure is the reason; the others are tried all the same.
refresh() {
	local new="$anybios_run/refresh" name failed=''
	lock "$new.lock" || return 1
	rm -rf "$new"
	mkdir -p "$new"
	agent GET systems "$new/list" || {
		reason="the server did not say what to run: $http_error"
		unlock "$new.lock"
		return 1
	}
	kv_all "$new/list" system | sed 's/ .*//' |
		still_wanted "$(getarg chroot)" "$(kv_all "$anybios_run/claim" system)" "$anybios_run/left-out" >"$new/names"
	system_names >"$new/before"
	put "$anybios_run/system-names" "$(cat "$new/names")"
	while read -r name; do
		grep -qxF -- "$name" "$new/names" || locked "$name" refresh_remove "$name"
	done <"$new/before"
	while read -r name; do
		reason=''
		locked "$name" refresh_one "$name" "$1" "$new" || failed="${failed:-system $name: $reason}"
	done <"$new/names"
	rm -rf "$new"
	unlock "$new.lock"
	: >"$anybios_run/beat-now"
	reason=$failed
	[ -z "$failed" ]
}

# locked NAME COMMAND…: jobs that change this system wait meanwhile (run-job).
locked() {
	local name=$1 result=0
	shift
	mkdir -p "$anybios_run/jobs"
	lock "$anybios_run/jobs/lock.$name" || return 1
	"$@" || result=1
	unlock "$anybios_run/jobs/lock.$name"
	return "$result"
}

# refresh_one NAME all|definitions FOLDER
refresh_one() {
	local name=$1 have wanted
	have=$(read_line "$anybios_run/systems/$1/digest")
	wanted=$(kv_all "$3/list" system | sed -n "s/^$1 //p")
	case $(digest_change "$have" "$wanted" "$2") in
	same) ;;
	new)
		# One that is being started has no digest yet, and will have the newest.
		keeper_alive "$name" && return 0
		echo "starting $name"
		system_start "$name"
		;;
	limits)
		echo "new limits for $name"
		refresh_limits "$name" "$have" "$3"
		;;
	*)
		echo "composing $name anew"
		refresh_remove "$name"
		system_start "$name"
		;;
	esac
}

# refresh_limits NAME DIGEST FOLDER: while it runs. What it was composed from stays as it is.
refresh_limits() {
	local new="$3/definition" folder="$anybios_run/systems/$1" digest
	agent GET "systems/$1" "$new" || {
		reason=$http_error
		return 1
	}
	system_limit "$1" "$(kv_get "$new" memory-bytes none)" "$(kv_get "$new" cpus none)" || return 1
	digest=${2%.*}.$(kv_get "$new" digest | sed 's/.*\.//')
	{
		grep -v -e '^memory-bytes=' -e '^cpus=' -e '^digest=' "$folder/definition"
		grep -e '^memory-bytes=' -e '^cpus=' "$new"
		kv digest "$digest"
	} >"$folder/definition.new"
	mv "$folder/definition.new" "$folder/definition"
	put "$folder/digest" "$digest"
}

# refresh_remove NAME: stops it and takes its root apart.
refresh_remove() {
	local folder="$anybios_run/systems/$1"
	echo "stopping $1"
	system_stop "$1" 10
	chroot_take_apart "$1"
	rm -rf "$folder"
}
