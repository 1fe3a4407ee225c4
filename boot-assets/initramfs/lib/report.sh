# shellcheck shell=dash
# Steps of the boot, told to the server. A report that does not arrive never stops a boot.

# report STAGE STEP [KEY VALUE]...: one POST /agent/v1/report. The first 2 seconds decide: progress is worth no waiting.
# report_uptime_ms tells when it was, for a step that could not be told at once.
report() {
	local body="$anybios_run/report.$$" result=0
	kv stage "$1" >"$body"
	kv step "$2" >>"$body"
	kv uptime-ms "${report_uptime_ms:-$(uptime_ms)}" >>"$body"
	shift 2
	while [ $# -gt 1 ]; do
		kv_present "$1" "$2" >>"$body"
		shift 2
	done
	http_limit=${report_limit:-2} agent POST report "$body.answer" "$body" || result=1
	rm -f "$body" "$body.answer" "$body.answer.messages"
	return "$result"
}

# report_surely STAGE STEP [KEY VALUE]...: the same for steps that the timeline should not miss: three tries.
report_surely() {
	local try
	for try in 1 2 3; do
		report_limit=5 report "$@" && return 0
		refused && return 1
		[ "$try" = 3 ] || sleep 1
	done
	return 1
}
