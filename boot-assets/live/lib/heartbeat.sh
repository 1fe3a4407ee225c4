# shellcheck shell=dash
# What a resident live OS does for ever: keeps its address, tells the server that it lives, shows how its systems are. Needs
# `server`, `claim_file`, `systems` (names in start order), `missed`, `shown` and `show_next` starting from 0, '' and 0, and
# `begin_refresh`, which starts /lib/anybios/refresh beside it.

# keep_lease: with a static address each heartbeat renews the lease at the server; else udhcpc does it from here on.
keep_lease() {
	local nic
	[ "$(kv_get "$anybios_run/network" method)" = dhcp ] || return 0
	if [ -r "$anybios_run/udhcpc.pid" ] && kill -0 "$(cat "$anybios_run/udhcpc.pid")" 2>/dev/null; then return 0; fi
	nic=$(kv_get "$anybios_run/network" nic)
	udhcpc -b -i "$nic" -r "$(kv_get "$anybios_run/network" address)" -x "hostname:$(hostname)" \
		-p "$anybios_run/udhcpc.pid" -s /lib/anybios/dhcp-script </dev/null >/dev/null 2>&1 || say "$nic: udhcpc does not start"
}

# memory_line FIELD
memory_line() {
	awk -v field="$1:" '$1 == field { printf "%.0f\n", $2 * 1024 }' /proc/meminfo
}

# heartbeat_body: of each system also the digest of the definition that it was composed from: the server compares.
heartbeat_body() {
	local name folder restarts
	kv uptime-ms "$(uptime_ms)"
	kv lease "$(lease_word)"
	kv memory-total-bytes "$(memory_line MemTotal)"
	kv memory-available-bytes "$(memory_line MemAvailable)"
	for name in $systems; do
		folder=$anybios_run/systems/$name
		# In this order, with `count_restart`: one that ends meanwhile is not said to run again.
		restarts=$(read_line "$folder/restarts" 0)
		kv system "$name $(read_line "$folder/state" starting) $restarts $(read_line "$folder/digest")"
	done
	[ ! -r "$anybios_run/left-out" ] || while read -r name; do kv left-out "$name"; done <"$anybios_run/left-out"
}

# overview: on the consoles when it changed, not more often than every 5 s: who and where this machine is, and how its systems are. Asked
# every second: without a process of its own as long as nothing has changed.
overview() {
	local name state text=''
	[ -n "$systems" ] || text=' | no systems'
	for name in $systems; do
		state=''
		[ ! -r "$anybios_run/systems/$name/state" ] || IFS= read -r state <"$anybios_run/systems/$name/state" || true # it ends at its last byte
		text="$text | $name ${state:-starting}"
	done
	if [ "$text" = "$shown" ] || [ "$(uptime_s)" -lt "$show_next" ]; then return 0; fi
	shown=$text
	show_next=$(($(uptime_s) + 5))
	say "$(kv_get "$claim_file" machine) $(read_line "/sys/class/net/$(kv_get "$anybios_run/network" nic)/address") $(kv_get "$anybios_run/network" address)$text"
}

# heartbeat: `missed` counts answers in a row that did not come.
heartbeat() {
	local sent
	heartbeat_body >"$anybios_run/heartbeat"
	# The lease is counted from here: whatever is lost or late on the way only shortens it.
	sent=$(uptime_ms)
	if agent POST heartbeat "$anybios_run/heartbeat.answer" "$anybios_run/heartbeat"; then
		[ "$missed" -eq 0 ] || say "the server at $server answers again"
		missed=0
		lease_take "$sent" "$anybios_run/heartbeat.answer"
		seconds=$(lease_number "$anybios_run/heartbeat.answer" heartbeat-seconds "$seconds")
		case $(kv_get "$anybios_run/heartbeat.answer" action none) in
		reboot)
			say 'the server asks for a reboot'
			reboot
			;;
		refresh) begin_refresh ;;
		esac
		return 0
	fi
	missed=$((missed + 1))
	# The systems go on without the server; the operator is told once.
	[ "$missed" -ne 3 ] || error "heartbeat: $http_error; the systems go on$(! lease_read || echo ' until their lease is over')"
}

# beat_now: somebody has something to tell: the next heartbeat is due. Used as `if beat_now; then next=0; fi`.
beat_now() {
	[ -e "$anybios_run/beat-now" ] && rm -f "$anybios_run/beat-now"
}

# heartbeat_seconds: how often; the server says it in the claim.
heartbeat_seconds() {
	local seconds
	seconds=$(kv_get "$claim_file" heartbeat-seconds 10)
	case $seconds in
	'' | 0 | *[!0-9]*) seconds=10 ;;
	esac
	echo "$seconds"
}
