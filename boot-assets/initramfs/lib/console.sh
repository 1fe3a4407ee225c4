# shellcheck shell=dash
# Words for the operator. /dev/console is only the last console= of the command line, so every line goes to each active one.

# Where this run keeps what it knows; tests point it elsewhere.
: "${anybios_run:=/run/anybios}"

# consoles: the device names of the active kernel consoles, e.g. "tty0 ttyS0".
consoles() {
	cat /sys/class/tty/console/active 2>/dev/null || echo console
}

# say TEXT: one line on every console. A console without hardware behind it refuses to open; that is no failure of the boot.
say() {
	local tty
	if [ -n "${anybios_say_to-}" ]; then
		printf 'anybios: %s\n' "$1" >>"$anybios_say_to"
		return 0
	fi
	keep_line "$1"
	for tty in $(consoles); do
		{ printf 'anybios: %s\n' "$1" >"/dev/$tty"; } 2>/dev/null || true
	done
}

# keep_line TEXT: for those who were not there: `anybios job logs`. The older half of 64 KiB goes to log.1.
keep_line() {
	[ -d "$anybios_run" ] || return 0
	printf '%10s %s\n' "$(uptime_s)" "$1" >>"$anybios_run/log" || return 0
	[ "$(stat -c %s "$anybios_run/log")" -lt 32768 ] || mv "$anybios_run/log" "$anybios_run/log.1"
}

# error TEXT: the one ERROR line of a dead end; kept as `last_error` for the report.
error() {
	last_error=$1
	say "ERROR: $1"
}

# uptime_ms: milliseconds since power-on as the kernel counts them (resolution 10 ms).
uptime_ms() {
	local up
	read -r up _ <"${anybios_uptime:-/proc/uptime}"
	up=${up%.*}${up#*.}0
	while [ "${up#0}" != "$up" ] && [ "$up" != 0 ]; do up=${up#0}; done
	echo "$up"
}

# uptime_s: whole seconds since power-on.
uptime_s() {
	local up
	read -r up _ <"${anybios_uptime:-/proc/uptime}"
	echo "${up%.*}"
}

# is_mounted DIR: Debian's busybox has no `mountpoint`. Our own paths have no blanks, which /proc/mounts would quote.
is_mounted() {
	local place
	while read -r _ place _; do
		[ "$place" != "$1" ] || return 0
	done </proc/mounts
	return 1
}

# mib BYTES: for people.
mib() {
	echo "$((($1 + 524288) / 1048576)) MiB"
}
