# shellcheck shell=dash
# How a system ended. $EXIT_CODE and $EXIT_STATUS are systemd's (systemd.exec(5), "Environment variables set or
# propagated by the service manager").

# last_line: of what it wrote.
last_line() {
	if [ "$(kv_get "$definition" kind)" = vm ]; then
		# Not what its kernel says of the end.
		tail -c 4096 "$folder/console.log" 2>/dev/null | tr -d '\000-\011\013-\037\177' | grep -v -e '^\[ *[0-9.]*\] ' -e '^$' | tail -n 1 | cut -c 1-300
		return 0
	fi
	journalctl --quiet --no-pager --output=cat --lines=1 SYSLOG_IDENTIFIER="$name" _TRANSPORT=stdout 2>/dev/null | tr -d '\000-\037\177' | cut -c 1-300
}

# vm_panic: why the kernel of a VM gave up since its last start. It reboots then (panic=-1), and QEMU ends with 0. The
# agent may have cut the log meanwhile.
vm_panic() {
	[ "$(kv_get "$definition" kind)" = vm ] || return 0
	cat "$folder/console.log.1" "$folder/console.log" 2>/dev/null | awk '/^anybios: system .* starts/ { why = "" }
		sub(/^.*\] Kernel panic - not syncing: /, "") { why = $0 }
		END { print why }' | tr -d '\000-\037\177' | cut -c 1-300
}

why_ended() {
	local limit kills last
	limit=$(kv_get "$definition" memory-bytes)
	kills=$(cgroup_oom_kills "$(unit_cgroup "$name")")
	if [ "$kills" != "$(read_line "$folder/oom-kills" "$kills")" ]; then
		echo "killed: over its memory${limit:+ of $(mib "$limit")}"
		return 0
	fi
	case $panic in
	'') ;;
	*'deadlocked on memory'*)
		echo "over its memory of $(mib "$limit"): its kernel panicked"
		return 0
		;;
	*)
		echo "its kernel panicked: $panic"
		return 0
		;;
	esac
	# After the panic: one who panics fails its health checks too.
	if [ -s "$folder/unhealthy" ]; then
		cat "$folder/unhealthy"
		return 0
	fi
	last=$(last_line)
	case ${EXIT_CODE-} in
	exited) echo "exited with ${EXIT_STATUS-0}${last:+: $last}" ;;
	*) echo "ended by signal ${EXIT_STATUS-}${last:+: $last}" ;;
	esac
}

# how_ended: sets `panic`; the end of a VM's command is told like that of any other.
how_ended() {
	local code
	panic=$(vm_panic)
	case $panic in
	'Attempted to kill init! exitcode=0x'*) ;;
	*) return 0 ;;
	esac
	# Its first process, the command of the definition, has ended. The number is that of wait(2).
	code=${panic#*0x}
	code=$((0x${code%%[!0-9a-f]*}))
	panic=''
	if [ $((code & 127)) = 0 ]; then EXIT_STATUS=$((code >> 8 & 255)); else EXIT_CODE=killed EXIT_STATUS=$((code & 127)); fi
}

# well: whether it ended as a program ends that has done its work.
well() {
	[ "${EXIT_CODE-}" = exited ] && [ "${EXIT_STATUS-}" = 0 ] && [ -z "$panic" ]
}
