# shellcheck shell=dash
# Jobs of the server (docs/control.md): each id runs once in a boot, in a process of its own that no connection ends. Kept in
# $anybios_run/jobs: ID.request, ID.output, and at the end ID.result.

jobs=$anybios_run/jobs
# Of one job that is kept and passed on, in bytes; of all finished ones together.
: "${job_output_limit:=1048576}" "${job_outputs_limit:=16777216}"

# is_job_id TEXT: it becomes a file name.
is_job_id() {
	case $1 in
	'' | *[!A-Za-z0-9._-]* | [!A-Za-z0-9]*) return 1 ;;
	esac
	[ "${#1}" -le 64 ]
}

# request_read FILE: the lines of a request up to the empty one. One that was cut off on the way must not run.
request_read() {
	local line
	: >"$1"
	while IFS= read -r line; do
		[ -n "$line" ] || return 0
		printf '%s\n' "$line" >>"$1"
	done
	reason='the request ended before its empty line'
	return 1
}

# job_arguments REQUEST: runs "$@" after its first word with the arguments of the request added, each as it was given.
# A trailing newline would be lost in $(…): a letter behind it keeps it.
job_arguments() {
	local file=$1 coded argument
	shift
	kv_all "$file" arg64 >"$file.arguments"
	while IFS= read -r coded; do
		case $coded in
		*[!A-Za-z0-9+/=]*)
			reason='an argument is not base64'
			return 1
			;;
		esac
		argument=$(printf '%s' "$coded" | base64 -d && echo x) || {
			reason='an argument is not base64'
			return 1
		}
		set -- "$@" "${argument%x}"
	done <"$file.arguments"
	rm -f "$file.arguments"
	"$@"
}

# job_output FILE: from standard input, at once, as much as is kept. What is over the limit is read and thrown away, and counted
# in FILE.rest: the command goes on.
job_output() {
	local read over
	while [ "$(file_size "$1")" -lt "$job_output_limit" ]; do
		# Each read is written as it comes, at most 64 in a run.
		dd bs=4096 count=64 2>"$1.dd" >>"$1"
		read=$(sed -n 's/ records in$//p' "$1.dd")
		# Nothing more, or nowhere to write it to: its folder is gone.
		if [ "${read:-0+0}" = 0+0 ]; then
			rm -f "$1.dd"
			return 0
		fi
	done
	rm -f "$1.dd"
	over=$(($(file_size "$1") - job_output_limit))
	truncate -s "$job_output_limit" "$1"
	echo "$((over + $(wc -c)))" >"$1.rest"
}

# job_bytes ID: how much it wrote.
job_bytes() {
	local rest
	rest=$(read_line "$jobs/$1.output.rest")
	echo "$(($(file_size "$jobs/$1.output") + ${rest:-0}))"
}

# job_prune ID: the outputs of finished jobs go, the oldest first, when together they are too many; their results stay. Somebody
# waits for the one of ID.
job_prune() {
	local file total
	total=$(file_size "$jobs/$1.output")
	# shellcheck disable=SC2012 # names of our own; only ls sorts by time
	ls -t "$jobs" | sed -n 's/\.output$//p' | while IFS= read -r file; do
		[ "$file" != "$1" ] || continue
		total=$((total + $(file_size "$jobs/$file.output")))
		if [ "$total" -gt "$job_outputs_limit" ] && [ -e "$jobs/$file.result" ]; then
			: >"$jobs/$file.output"
		fi
	done
}

# job_follow ID: its output from the beginning and its result, when there is one. Ends with the connection (our parent).
job_follow() {
	local output="$jobs/$1.output" sent=0 size finished
	while :; do
		finished=''
		# Looked at before the output: nothing comes after the result.
		[ ! -e "$jobs/$1.result" ] || finished=1
		size=$(file_size "$output")
		[ "$size" -le "$job_output_limit" ] || size=$job_output_limit
		if [ "$size" -gt "$sent" ]; then
			tail -c "+$((sent + 1))" "$output" | head -c "$((size - sent))" || return 1
			sent=$size
		fi
		[ -z "$finished" ] || break
		[ -d "/proc/$PPID" ] || return 1
		sleep 0.1
	done
	if [ "$(kv_get "$jobs/$1.result" output-bytes 0)" -gt "$sent" ]; then tell truncated yes; fi
	sed 's/^/anybios:/' "$jobs/$1.result" >&2
}

# tell KEY VALUE: one line of an answer.
tell() {
	kv "anybios:$1" "$2" >&2
}

# refuse TEXT: the end of a session whose request does not fit.
refuse() {
	rm -f "$request"
	tell error "$1"
	exit 65
}
