# shellcheck shell=dash
# The network card and its address. What was done is kept in $anybios_run/network (key=value), for the live OS too.

# Seconds until the card must have shown itself (USB and firmware uploads are slow), then until it has a link.
: "${nic_wait_seconds:=30}" "${carrier_wait_seconds:=20}" "${dhcp_wait_seconds:=120}"

# nic_by_mac MAC: the name of the card with this address.
nic_by_mac() {
	local path address
	for path in "${anybios_sys:-/sys}"/class/net/*; do
		address=''
		[ ! -r "$path/address" ] || read -r address <"$path/address"
		# A bond or bridge repeats the address of its card: only real devices have one of their own behind them.
		if [ "$address" = "$1" ] && [ -e "$path/device" ]; then
			echo "${path##*/}"
			return 0
		fi
	done
	return 1
}

# first_nic: the first card with hardware behind it, by name.
first_nic() {
	local path
	for path in "${anybios_sys:-/sys}"/class/net/*; do
		if [ -e "$path/device" ] && [ "$(cat "$path/type")" = 1 ]; then
			echo "${path##*/}"
			return 0
		fi
	done
	return 1
}

# find_nic BOOTIF DEVICE: waits for the card the firmware booted from, else DEVICE, else the first. `reason` says why not.
find_nic() {
	local mac='' end nic=''
	if [ -n "$1" ]; then
		mac=$(bootif_mac "$1") || {
			reason="BOOTIF=$1 is not a MAC address"
			return 1
		}
	fi
	end=$(($(uptime_s) + nic_wait_seconds))
	while :; do
		if [ -n "$mac" ]; then
			nic=$(nic_by_mac "$mac")
		elif [ -n "$2" ]; then
			[ ! -e "/sys/class/net/$2" ] || nic=$2
		else
			nic=$(first_nic)
		fi
		if [ -n "$nic" ]; then
			kv nic "$nic" >>"$anybios_run/network"
			return 0
		fi
		if [ "$(uptime_s)" -ge "$end" ]; then
			reason="no network card ${mac:-${2:-at all}} after $nic_wait_seconds s (seen:$(seen_nics)): its driver may be missing from the initrd"
			return 1
		fi
		sleep 1
		coldplug
	done
}

# seen_nics: for the message above.
seen_nics() {
	local path text=''
	for path in /sys/class/net/*; do
		[ ! -e "$path/device" ] || text="$text ${path##*/} $(cat "$path/address")"
	done
	printf '%s\n' "${text:- none}"
}

# link_up NIC: and waits for its carrier. Without one we go on: some drivers never tell.
link_up() {
	local end
	ip link set lo up
	ip link set "$1" up || {
		reason="$1 does not come up"
		return 1
	}
	end=$(($(uptime_s) + carrier_wait_seconds))
	while [ "$(cat "/sys/class/net/$1/carrier" 2>/dev/null)" != 1 ]; do
		if [ "$(uptime_s)" -ge "$end" ]; then
			say "$1 has no link after $carrier_wait_seconds s: is the cable in? going on"
			return 0
		fi
		sleep 0.2
	done
}

# default_route NIC GATEWAY: also when the gateway is outside of the subnet (hosters with /32 addresses).
default_route() {
	ip route add default via "$2" dev "$1" 2>/dev/null && return 0
	ip route add "$2" dev "$1" && ip route add default via "$2" dev "$1"
}

# static_network NIC PARSED: the address as the kernel command line says; PARSED is the output of parse_ip.
static_network() {
	local gateway
	ip addr add "$(kv_get "$2" address)/$(kv_get "$2" prefix)" broadcast + dev "$1" || {
		reason="$1 does not take the address $(kv_get "$2" address)"
		return 1
	}
	gateway=$(kv_get "$2" gateway)
	if [ -n "$gateway" ] && ! default_route "$1" "$gateway"; then
		reason="$1 has no way to the gateway $gateway"
		return 1
	fi
	kv_all "$2" dns | sed 's/^/nameserver /' >/etc/resolv.conf
	cat "$2" >>"$anybios_run/network"
}

# dhcp_network NIC HOSTNAME: by udhcpc and our script (dhcp-script), which leaves the lease in $anybios_run/lease.
dhcp_network() {
	local end nic=$1
	end=$(($(uptime_s) + dhcp_wait_seconds))
	set -- -i "$nic" -q -n -t 5 -T 3 -A 1 -s /lib/anybios/dhcp-script ${2:+-x "hostname:$2"}
	while ! udhcpc "$@" >/dev/null 2>&1 || [ ! -s "$anybios_run/lease" ]; do
		if [ "$(uptime_s)" -ge "$end" ]; then
			reason="no DHCP server gave an address in $dhcp_wait_seconds s"
			return 1
		fi
		say "$nic: no DHCP answer yet, asking again"
	done
	kv method dhcp >>"$anybios_run/network"
	grep -v '^method=' "$anybios_run/lease" >>"$anybios_run/network"
}
