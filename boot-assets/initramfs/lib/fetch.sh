# shellcheck shell=dash
# Files into RAM: resumed after a break, watched for standing still, checked against their sha256.

# A download that has not grown for this many seconds is cut off and resumed.
: "${fetch_stall_seconds:=15}"
# Tries in a row without a new byte before giving up: with the pauses between them about four minutes.
: "${fetch_tries:=20}"

# file_size FILE: bytes, 0 when it is not there.
file_size() {
	stat -c %s "$1" 2>/dev/null || echo 0
}

# notify BYTES TOTAL NOTIFY...: tells a number of bytes once, however often it is seen.
notify() {
	local bytes=$1 total=$2
	shift 2
	[ "$bytes" != "${notified-}" ] || return 0
	notified=$bytes
	"$@" "$bytes" "$total"
}

# fetch_once URL FILE TOTAL NOTIFY...: one run of wget, resuming what is there. NOTIFY BYTES TOTAL is called at most once a
# second. Status of wget; `http_error` says why.
fetch_once() {
	local url=$1 file=$2 total=$3 pid size last told now grown
	shift 3
	wget -q -c -O "$file" "$url" 2>"$file.messages" &
	pid=$!
	last=$(file_size "$file")
	told=$(uptime_s)
	grown=$told
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.2
		now=$(uptime_s)
		[ "$now" != "$told" ] || continue
		told=$now
		size=$(file_size "$file")
		if [ "$size" != "$last" ]; then
			last=$size
			grown=$now
			notify "$size" "$total" "$@"
		elif [ $((now - grown)) -ge "$fetch_stall_seconds" ]; then
			kill "$pid"
			wait "$pid"
			http_error="no new bytes for $fetch_stall_seconds s"
			return 1
		fi
	done
	wait "$pid" && return 0
	http_error=$(http_reason "$file.messages")
	return 1
}

# await_turn NAME BYTES: waits in the server's queue of large downloads (docs/booting.md, "The queue of downloads") and says its
# place. Nobody waits for a server that does not answer, or knows no queue: the download itself tells what is wrong.
await_turn() {
	local name=$1 bytes=$2 answer="$anybios_run/turn.$$" place told='' seconds
	[ -n "${server-}" ] && [ -r "$anybios_run/credential" ] || return 0
	{
		kv file "$name"
		kv bytes "$bytes"
		kv uptime-ms "$(uptime_ms)"
	} >"$answer.body"
	while http_limit=5 agent POST turn "$answer" "$answer.body" && [ "$(kv_get "$answer" turn)" = wait ]; do
		place="place $(kv_get "$answer" place) of $(kv_get "$answer" waiting)"
		if [ "$place" != "$told" ]; then
			say "$name: waiting for its turn, $place in the queue; machines loading now: $(kv_get "$answer" running)"
			told=$place
		fi
		seconds=$(kv_get "$answer" seconds 5)
		case $seconds in
		'' | *[!0-9]* | ???*) seconds=5 ;;
		esac
		sleep "$seconds"
	done
	[ -z "$told" ] || say "$name: the waiting is over"
	rm -f "$answer" "$answer.body" "$answer.messages"
}

# fetch URL FILE TOTAL NOTIFY...: until FILE has TOTAL bytes; what an earlier try left is gone on with. `reason` says why not.
fetch() {
	local url=$1 file=$2 total=$3 before after tries=0
	shift 3
	notified=''
	while :; do
		before=$(file_size "$file")
		if [ "$before" -gt "$total" ]; then
			rm -f "$file"
			before=0
		fi
		[ "$before" -lt "$total" ] || break
		# Before every try: a server that started again has forgotten whose turn it was.
		await_turn "${url##*/}" "$((total - before))"
		fetch_once "$url" "$file" "$total" "$@" && http_error='the file ended early'
		after=$(file_size "$file")
		[ "$after" -ne "$total" ] || break
		if [ "$after" -gt "$total" ]; then
			rm -f "$file"
			reason="${url##*/}: has more than the $total bytes that the server said"
			return 1
		fi
		if [ "$after" -gt "$before" ]; then tries=0; fi
		tries=$((tries + 1))
		if [ "$tries" -ge "$fetch_tries" ] || { refused && [ "$tries" -ge 3 ]; }; then
			reason="${url##*/}: $http_error"
			return 1
		fi
		say "fetch ${url##*/}: $http_error; $(mib "$after") of $(mib "$total"), next try in $(backoff "$tries") s"
		sleep "$(backoff "$tries")"
	done
	rm -f "$file.messages"
	notify "$total" "$total" "$@"
}

# fetch_verified URL FILE TOTAL SHA256 NOTIFY...: fetch, then the digest; wrong bytes are thrown away and fetched once more,
# because a resumed download may have been spoilt on the way. `reason` says why not.
fetch_verified() {
	local url=$1 file=$2 total=$3 wanted=$4 found try
	shift 4
	for try in 1 2; do
		fetch "$url" "$file" "$total" "$@" || return 1
		found=$(sha256sum "$file")
		found=${found%% *}
		[ "$found" != "$wanted" ] || return 0
		rm -f "$file"
		reason="${url##*/}: wrong sha256, expected $wanted, got $found"
		[ "$try" = 2 ] || say "$reason; fetching it again"
	done
	return 1
}
