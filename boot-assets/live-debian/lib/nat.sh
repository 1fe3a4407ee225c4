# shellcheck shell=dash
# The private network of systems behind the machine's address. Each system's ports lie in its folder; the rules are made of all of
# them at once, and nft takes them as one change.

nat_bridge=anybios-nat

# nat_up GATEWAY/PREFIX: once per boot. `reason` says why not.
nat_up() {
	if [ ! -d "/sys/class/net/$nat_bridge" ]; then
		{ ip link add "$nat_bridge" type bridge stp_state 0 forward_delay 0 && ip addr add "$1" dev "$nat_bridge" && ip link set "$nat_bridge" up; } || {
			reason='the kernel makes no bridge'
			return 1
		}
	fi
	echo 1 >/proc/sys/net/ipv4/ip_forward
	: >"$anybios_run/nat-up"
	nat_render
}

# nat_ports DEFINITION: its rules.
nat_ports() {
	local address
	address=$(kv_get "$1" address)
	kv_all "$1" port | while read -r protocol from to; do
		echo "fib daddr type local $protocol dport $from dnat to ${address%/*}:$to"
	done
}

# nat_render: the rules of all systems that are there. The machine forwards nothing but theirs, though ip_forward is on.
nat_render() {
	{
		printf 'table ip anybios {}\ndelete table ip anybios\ntable ip anybios {\n'
		printf 'chain incoming {\ntype nat hook prerouting priority dstnat\n'
		cat "$anybios_run"/systems/*/nat 2>/dev/null
		printf '}\nchain outgoing {\ntype nat hook postrouting priority srcnat\niifname %s oifname != %s masquerade\n}\n' "$nat_bridge" "$nat_bridge"
		printf 'chain through {\ntype filter hook forward priority filter\npolicy drop\nct state established,related accept\n'
		printf 'iifname %s accept\nct status dnat accept\n}\n}\n' "$nat_bridge"
	} | nft -f - 2>"$anybios_run/nft.errors" || {
		reason="forwarded ports: $(head -n 1 "$anybios_run/nft.errors")"
		return 1
	}
}
