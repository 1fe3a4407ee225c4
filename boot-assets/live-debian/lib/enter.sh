# shellcheck shell=dash
# Into a running chroot or container: its mounts, processes, network and root.

# leader NAME: the first process inside: the only child of unshare or systemd-nspawn.
leader() {
	local pid child=''
	pid=$(read_line "$anybios_run/systems/$1/pid")
	read -r child _ 2>/dev/null <"/proc/$pid/task/$pid/children" || true # no newline at its end
	printf '%s\n' "$child"
}

# enter NAME PROGRAM ARG...: becomes the program, with the environment of the definition.
enter() {
	local name=$1 definition="$anybios_run/systems/$1/definition" pid variable
	shift
	pid=$(leader "$name")
	[ -n "$pid" ] || {
		echo "system $name does not run" >&2
		exit 125
	}
	kv_all "$definition" env >"$anybios_run/systems/$name/environment"
	while IFS= read -r variable; do set -- "$variable" "$@"; done <"$anybios_run/systems/$name/environment"
	set -- PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "TERM=${TERM:-linux}" "$@"
	# In its cgroup too: what is run inside counts against its limits.
	echo 0 >"$(unit_enter_cgroup "$name")/cgroup.procs" 2>/dev/null || true # counted as the machine's then
	if [ "$(kv_get "$definition" kind)" = container ]; then
		exec nsenter -t "$pid" -m -u -i -n -p -r -w env -i "$@"
	else
		exec nsenter -t "$pid" -m -p -r -w env -i "$@"
	fi
}

# unit_enter_cgroup NAME: a leaf of its unit: processes live in leaves only (cgroup v2).
unit_enter_cgroup() {
	local path
	read -r path <"/proc/$(leader "$1")/cgroup" || return 1
	echo "/sys/fs/cgroup${path#0::}"
}
