# shellcheck shell=dash
# What each system is doing: files $anybios_run/systems/NAME/{state,restarts,message}, a line on the consoles, a report.
# The heartbeat repeats the states, so that a report that got lost is made up for.

# is_system_name TEXT: it becomes a folder.
is_system_name() {
	case $1 in
	'' | *[!a-z0-9._-]* | [._-]*) return 1 ;;
	esac
}

# put FILE TEXT: readers never see half of it.
put() {
	printf '%s\n' "$2" >"$1.new"
	mv "$1.new" "$1"
}

# read_line FILE [DEFAULT]
read_line() {
	local text=${2-}
	[ ! -r "$1" ] || IFS= read -r text <"$1" || true # a file without a newline at its end has a line all the same
	printf '%s\n' "$text"
}

# count_restart NAME STATE: STATE is what it is after that. Written first: who reads the count first and the state then (heartbeat.sh)
# never finds a restart counted of a system that still seems to run.
count_restart() {
	local folder="$anybios_run/systems/$1"
	put "$folder/state" "$2"
	put "$folder/restarts" "$(($(read_line "$folder/restarts" 0) + 1))"
}

# set_state NAME STATE [MESSAGE]
set_state() {
	local folder="$anybios_run/systems/$1" restarts
	put "$folder/state" "$2"
	put "$folder/message" "${3-}"
	restarts=$(read_line "$folder/restarts" 0)
	case $2 in
	failed) error "system $1 failed: ${3-}" ;;
	*) say "system $1 $2${3:+: $3}" ;;
	esac
	report_surely systems state system "$1" state "$2" restarts "$restarts" message "${3-}" || say "the server was not told of system $1: $http_error"
}
