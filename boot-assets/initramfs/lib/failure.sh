# shellcheck shell=dash
# Dead ends: one ERROR line, one report, then the policy. Nothing here returns to a boot that failed.

# shell_everywhere TEXT: a shell on every console until the first of them is left.
shell_everywhere() {
	local tty pids='' pid
	say "$1; leave the shell to go on"
	for tty in $(consoles); do
		[ "$tty" != tty0 ] || tty=tty1 # a terminal of its own: tty0 is whichever is shown
		setsid -c sh -i <"/dev/$tty" >"/dev/$tty" 2>&1 &
		pids="$pids $!"
	done
	while :; do
		for pid in $pids; do
			kill -0 "$pid" 2>/dev/null || break 2
		done
		sleep 0.5
	done
	for pid in $pids; do
		kill -HUP "$pid" 2>/dev/null || true # the one that ended
	done
}

# break_here NAME: a shell if the command line says anybios.break=NAME.
break_here() {
	[ "$(getarg anybios.break)" = "$1" ] || return 0
	shell_everywhere "anybios.break=$1"
}

# reboot_now: PID 1 has no one to ask.
reboot_now() {
	sync
	reboot -f
	sleep 60 # the reset is on its way
}

# countdown SECONDS: visible on the console.
countdown() {
	local left=$1
	while [ "$left" -gt 0 ]; do
		if [ "$left" -le 3 ] || [ "$left" -eq "$1" ] || [ $((left % 10)) -eq 0 ]; then say "reboot in $left s"; fi
		sleep 1
		left=$((left - 1))
	done
}

# fail STAGE TEXT: the end of this boot. The policy comes with the claim; before it is known: reboot after 30 s, because
# a new boot gets a new nonce.
fail() {
	local policy seconds
	error "$2"
	if [ -r "$anybios_run/credential" ]; then
		report_surely "$1" failed message "$last_error" || say "the server was not told: $http_error"
	fi
	policy=$(kv_get "$anybios_run/claim" failure-policy reboot)
	seconds=$(kv_get "$anybios_run/claim" failure-delay-seconds 30)
	is_size "$seconds" || seconds=30
	if [ "$policy" = shell ] || getarg anybios.break >/dev/null; then
		shell_everywhere "a shell to look around (failure policy: $policy)"
	else
		countdown "$seconds"
	fi
	say 'rebooting'
	reboot_now
}
