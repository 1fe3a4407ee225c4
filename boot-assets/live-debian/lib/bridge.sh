# shellcheck shell=dash
# The machine's card in a bridge, so that systems have cards beside it. The bridge takes over the card's MAC and addresses.

bridge=anybios0

# bridge_up: once per boot. `reason` says why not. What is between taking the address away and giving it back takes milliseconds;
# connections live on.
bridge_up() {
	local nic mac addresses routes line
	if [ -d "/sys/class/net/$bridge" ]; then return 0; fi
	nic=$(kv_get "$anybios_run/network" nic)
	read -r mac <"/sys/class/net/$nic/address"
	addresses=$(ip -4 -o addr show dev "$nic" | sed -n 's/.* inet \([0-9./]*\).*/\1/p')
	routes=$(ip -4 route show dev "$nic" | grep -v 'proto kernel')
	ip link add "$bridge" address "$mac" type bridge stp_state 0 forward_delay 0 || {
		reason='the kernel makes no bridge'
		return 1
	}
	ip link set "$bridge" up
	ip addr flush dev "$nic"
	ip link set "$nic" master "$bridge"
	for line in $addresses; do ip addr add "$line" broadcast + dev "$bridge"; done
	printf '%s\n' "$routes" | while read -r line; do
		# shellcheck disable=SC2086 # words of a route
		[ -z "$line" ] || ip route replace $line dev "$bridge"
	done
	# From here on the machine's own address is the bridge's: for udhcpc, which the agent starts again, and for people.
	sed "s/^nic=.*/nic=$bridge/" "$anybios_run/network" >"$anybios_run/network.new"
	echo "card=$nic" >>"$anybios_run/network.new"
	mv "$anybios_run/network.new" "$anybios_run/network"
	[ ! -r "$anybios_run/udhcpc.pid" ] || kill "$(cat "$anybios_run/udhcpc.pid")" 2>/dev/null || true # it is started again
	say "bridge $bridge over $nic"
}

# link_name PREFIX MAC: the name of a system's end on the machine; names of links have at most 15 letters.
link_name() {
	printf '%s%s\n' "$1" "$(printf '%s' "${2#02}" | tr -d ':')" | cut -c 1-15
}

# net_namespace NAME MAC BRIDGE: the network of a container: a card eth0 with that MAC, its other end in the bridge.
net_namespace() {
	local space="anybios-$1" link
	if [ -e "/run/netns/$space" ]; then return 0; fi
	link=$(link_name v "$2")
	{ ip netns add "$space" &&
		ip link add "$link" type veth peer name eth0 address "$2" netns "$space" &&
		ip link set "$link" master "$3" up &&
		ip -n "$space" link set lo up && ip -n "$space" link set eth0 up; } 2>"$anybios_run/netns.errors" || {
		reason="network: $(head -n 1 "$anybios_run/netns.errors")"
		ip netns del "$space" 2>/dev/null || true # not made
		return 1
	}
	put "$folder/link" "$link"
	[ -n "$(kv_get "$definition" address)" ] || return 0
	ip -n "$space" addr add "$(kv_get "$definition" address)" broadcast + dev eth0
	[ -z "$(kv_get "$definition" gateway)" ] || ip -n "$space" route add default via "$(kv_get "$definition" gateway)"
}

# net_tap NAME MAC BRIDGE: the network of a VM; QEMU opens the tap.
net_tap() {
	local link
	link=$(link_name t "$2")
	put "$folder/link" "$link"
	if [ -d "/sys/class/net/$link" ]; then return 0; fi
	modprobe -q tun || true # built in, or the next line says why not
	{ ip tuntap add "$link" mode tap && ip link set "$link" master "$3" up; } 2>"$anybios_run/netns.errors" || {
		reason="network: $(head -n 1 "$anybios_run/netns.errors")"
		return 1
	}
}
