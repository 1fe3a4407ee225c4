# shellcheck shell=dash
# The lease under which the systems of a role with spares run (docs/systems.md, "Spares and moves"): counted by this machine's uptime
# from the moment at which a heartbeat was sent. The file has three numbers: until when (ms of uptime; 0 = it has none), the lease and
# its margin in seconds; absent: systems run without a lease. Written by the supervisor alone; kept by /lib/anybios/lease-guard.
role_lease=$anybios_run/role-lease
role_address=$anybios_run/role-address

# lease_read: sets lease_until, lease_length, lease_margin; status 1: there is none to keep.
lease_read() {
	[ -r "$role_lease" ] || return 1
	read -r lease_until lease_length lease_margin <"$role_lease" || return 1
}

# lease_valid: whether systems may run now.
lease_valid() {
	lease_read || return 0
	[ "$(uptime_ms)" -lt "$lease_until" ]
}

# lease_word: for the heartbeat. `none` says that nothing runs and nothing will before the next lease.
lease_word() {
	if ! lease_read; then
		echo off
	elif lease_valid || lease_systems_run; then
		echo held
	else
		echo none
	fi
}

# lease_begin CLAIM: a boot whose claim speaks of a lease starts without one: the first heartbeat brings it.
lease_begin() {
	local seconds
	seconds=$(kv_get "$1" lease-seconds)
	case $seconds in
	'' | *[!0-9]*) return 0 ;;
	esac
	[ -e "$role_lease" ] || put "$role_lease" "0 $seconds $(lease_number "$1" lease-margin-seconds 30)"
}

# lease_take SENT_MS ANSWER: what the answer to the heartbeat sent at SENT_MS says.
lease_take() {
	local seconds margin
	seconds=$(kv_get "$2" lease-seconds)
	case $seconds in
	'')
		rm -f "$role_lease"
		return 0
		;;
	*[!0-9]*) return 0 ;;
	esac
	margin=$(lease_number "$2" lease-margin-seconds 10)
	if [ "$seconds" = 0 ]; then
		put "$role_lease" "0 0 $margin"
		return 0
	fi
	put "$role_lease" "$(($1 + seconds * 1000)) $seconds $margin"
	lease_address_take "$(kv_get "$2" lease-address)"
}

# lease_number FILE KEY DEFAULT
lease_number() {
	local text
	text=$(kv_get "$1" "$2")
	case $text in
	'' | *[!0-9]*) echo "$3" ;;
	*) echo "$text" ;;
	esac
}

# lease_address_take ADDRESS/PREFIX: the address that goes with the role is this machine's as long as the lease is. The file says which,
# and `own` if it is the one that the machine booted with. Looked at after each heartbeat: udhcpc may have taken it away.
lease_address_take() {
	local nic
	[ -n "$1" ] || return 0
	nic=$(kv_get "$anybios_run/network" nic)
	if ip -4 addr show dev "$nic" | grep -qF "inet $1 "; then
		[ -s "$role_address" ] || put "$role_address" "$1 own"
		return 0
	fi
	ip addr add "$1" broadcast + dev "$nic" || return 0
	put "$role_address" "$1"
	say "address ${1%/*} of the role is here"
	# Neighbours that knew another card by it learn the new one (RFC 5227, section 3).
	arping -U -q -c 3 -I "$nic" "${1%/*}" </dev/null >/dev/null 2>&1 &
}

# lease_address_leave: another machine may have the address now. One that was this machine's own is asked for again, by DHCP.
lease_address_leave() {
	local address own nic
	[ -s "$role_address" ] || return 0
	read -r address own <"$role_address" || true
	nic=$(kv_get "$anybios_run/network" nic)
	ip addr del "$address" dev "$nic" 2>/dev/null || true # udhcpc has taken it away already
	rm -f "$role_address"
	say "address ${address%/*} of the role is given up"
	[ "${own-}" = own ] || return 0
	grep -v '^method=' "$anybios_run/network" >"$anybios_run/network.new"
	echo method=dhcp >>"$anybios_run/network.new"
	mv "$anybios_run/network.new" "$anybios_run/network"
	# Jobs come to the address that was registered: the door is opened anew, and registers the new one.
	[ ! -r "$anybios_run/door/pid" ] || kill "$(cat "$anybios_run/door/pid")" 2>/dev/null || true # it has not opened yet
}
