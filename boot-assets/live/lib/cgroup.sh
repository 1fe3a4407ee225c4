# shellcheck shell=dash
# Limits of systems: one cgroup (v2) each below /sys/fs/cgroup/systems (Documentation/admin-guide/cgroup-v2.rst).

# cgroup_setup: `reason` says why there are none.
cgroup_setup() {
	is_mounted /sys/fs/cgroup || mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 /sys/fs/cgroup || {
		reason='cgroup2 does not mount'
		return 1
	}
	mkdir -p /sys/fs/cgroup/systems
	{ echo '+memory +cpu' >/sys/fs/cgroup/cgroup.subtree_control &&
		echo '+memory +cpu' >/sys/fs/cgroup/systems/cgroup.subtree_control; } || {
		reason='the kernel has no memory or cpu controller'
		return 1
	}
}

# cpu_max CPUS: the line for cpu.max: microseconds of each 100 ms, for fractions of processors too.
cpu_max() {
	awk -v cpus="$1" 'BEGIN { printf "%d 100000\n", (cpus * 100000 < 1000 ? 1000 : cpus * 100000) }'
}

# cgroup_limit DIR MEMORY_BYTES CPUS: an empty value is no limit. Over its memory the whole system is killed, it alone.
# `reason` says why a limit could not be set.
cgroup_limit() {
	mkdir -p "$1" || {
		reason="no cgroup $1"
		return 1
	}
	if [ -n "$2" ]; then
		{ echo "$2" >"$1/memory.max" && echo 1 >"$1/memory.oom.group"; } 2>/dev/null || {
			reason="memory limit of $2 bytes refused by the kernel"
			return 1
		}
		# Only a machine with swap has this file; RAM is what the limit means.
		[ ! -e "$1/memory.swap.max" ] || echo 0 >"$1/memory.swap.max"
	fi
	if [ -n "$3" ]; then
		cpu_max "$3" >"$1/cpu.max" || {
			reason="limit of $3 processors refused by the kernel"
			return 1
		}
	fi
}

# cgroup_oom_kills DIR: how often a process in it was killed for memory.
cgroup_oom_kills() {
	sed -n 's/^oom_kill //p' "$1/memory.events" 2>/dev/null
}

# cgroup_signal DIR SIGNAL: to the first process of each system, which passes it on or ends its whole process table.
cgroup_signal() {
	local pid
	while read -r pid; do
		kill "-$2" "$pid" 2>/dev/null || true # it ended meanwhile
	done <"$1/cgroup.procs"
}

# cgroup_empty DIR: kills what is left in it.
cgroup_empty() {
	[ ! -e "$1/cgroup.kill" ] || echo 1 >"$1/cgroup.kill"
}

# cgroup_populated DIR: whether a process is in it.
cgroup_populated() {
	grep -q 'populated 1' "$1/cgroup.events" 2>/dev/null
}

# cgroup_freeze DIR: all its processes stand still. `reason` says why not.
cgroup_freeze() {
	local try=0
	echo 1 >"$1/cgroup.freeze" || {
		reason='the kernel cannot freeze processes'
		return 1
	}
	# A process inside a system call is frozen when it comes out of it.
	until grep -q 'frozen 1' "$1/cgroup.events"; do
		if [ "$try" -ge 50 ]; then
			echo 0 >"$1/cgroup.freeze"
			reason='its processes do not stand still'
			return 1
		fi
		try=$((try + 1))
		sleep 0.1
	done
}

cgroup_thaw() {
	[ ! -e "$1/cgroup.freeze" ] || echo 0 >"$1/cgroup.freeze"
}

# cgroup_catches_term DIR: whether a process in it does something of its own on SIGTERM (bit 14 of SigCgt). The first process of a
# process table that does not never sees the signal: waiting for it would be waiting for nothing.
cgroup_catches_term() {
	local pid caught
	while read -r pid; do
		caught=$(sed -n 's/^SigCgt:	//p' "/proc/$pid/status" 2>/dev/null)
		case $caught in
		*[4567cdef]???) return 0 ;;
		esac
	done <"$1/cgroup.procs"
	return 1
}
