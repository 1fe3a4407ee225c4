# shellcheck shell=dash
# How long to wait before trying again.

# backoff N [LIMIT]: seconds before try N+1: 1 2 4 8 … up to LIMIT (default 15). Short steps first: most faults are a
# server that starts again; the limit keeps a rack of waiting machines from being silent for minutes.
backoff() {
	local n=$1 limit=${2:-15} seconds=1
	while [ "$n" -gt 1 ] && [ "$seconds" -lt "$limit" ]; do
		seconds=$((seconds * 2))
		n=$((n - 1))
	done
	[ "$seconds" -le "$limit" ] || seconds=$limit
	echo "$seconds"
}

# restart_delay FAILURES RAN_SECONDS: pause before a system is started again, up to a minute; one that ran for a minute
# starts from one second again (its count of failures in a row is over).
restart_delay() {
	if [ "$2" -ge 60 ]; then echo 1; else backoff "$1" 60; fi
}

# should_restart POLICY STATUS: whether a system that ended with STATUS is started again.
should_restart() {
	case $1 in
	always) return 0 ;;
	on-failure) [ "$2" -ne 0 ] ;;
	*) return 1 ;;
	esac
}
