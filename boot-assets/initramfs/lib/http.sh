# shellcheck shell=dash
# Talking to the server: busybox wget, one request at a time. Needs `server` (URL without a slash at the end).
# Every call leaves its failure in `http_error`, one line: the status line with the server's reason, or what the network said.

# http_reason FILE: the line of wget's messages that tells what went wrong.
http_reason() {
	local text
	text=$(grep -m 1 '^wget: ' "$1" 2>/dev/null)
	text=${text#wget: }
	text=${text#server returned error: }
	printf '%s\n' "${text:-no answer}"
}

# agent METHOD PATH OUT [BODY]: one request to /agent/v1/PATH with the credential, if there is one. Body and answer are files.
# A server that does not answer within the limit (default 10 s) counts as unreachable.
# The credential stands in wget's arguments: only the live OS can read them, systems have a process table of their own.
agent() {
	local method=$1 path=$2 out=$3 body=${4-} credential=''
	http_error=''
	[ ! -r "$anybios_run/credential" ] || credential=$(cat "$anybios_run/credential")
	set -- -q -S -O "$out"
	[ -z "$credential" ] || set -- "$@" --header "Authorization: Bearer $credential"
	[ "$method" = GET ] || set -- "$@" --header 'Content-Type: text/plain; charset=utf-8' --post-file "$body"
	timeout "${http_limit:-10}" wget "$@" "$server/agent/v1/$path" 2>"$out.messages" && return 0
	http_error=$(http_reason "$out.messages")
	return 1
}

# refused: whether `http_error` is the server's final word (a 4xx), which no retry changes. 408 and 429 ask for a retry.
refused() {
	case $http_error in
	HTTP/*' 408'* | HTTP/*' 429'*) return 1 ;;
	HTTP/*' 4'[0-9][0-9]*) return 0 ;;
	*) return 1 ;;
	esac
}

# http_date FILE: the Date header among wget's messages as `YYYY-MM-DD hh:mm:ss` (RFC 9110, section 5.6.7, IMF-fixdate).
http_date() {
	sed -n 's/^ *[Dd]ate: *[A-Z][a-z][a-z], \([0-9][0-9]\) \([A-Z][a-z][a-z]\) \([0-9]\{4\}\) \([0-9:]\{8\}\) GMT.*/\3-\2-\1 \4/p' "$1" |
		sed -n '1{s/-Jan-/-01-/;s/-Feb-/-02-/;s/-Mar-/-03-/;s/-Apr-/-04-/;s/-May-/-05-/;s/-Jun-/-06-/;s/-Jul-/-07-/;s/-Aug-/-08-/;s/-Sep-/-09-/;s/-Oct-/-10-/;s/-Nov-/-11-/;s/-Dec-/-12-/;p}'
}
