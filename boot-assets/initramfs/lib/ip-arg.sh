# shellcheck shell=dash
# `ip=` in the form of the kernel's Documentation/admin-guide/nfs/nfsroot.rst:
#   client:server:gateway:netmask:hostname:device:autoconf:dns0:dns1     or one word: dhcp on any off none

# is_ipv4 TEXT: four decimal numbers 0-255 without leading zeros.
is_ipv4() {
	local part count=0 rest=$1.
	case $1 in
	*[!0-9.]* | '') return 1 ;;
	esac
	while [ -n "$rest" ]; do
		part=${rest%%.*}
		rest=${rest#*.}
		count=$((count + 1))
		case $part in
		'' | 0?* | ????*) return 1 ;;
		esac
		[ "$part" -le 255 ] || return 1
	done
	[ $count -eq 4 ]
}

# prefix_of NETMASK: its prefix length; status 1 when the ones are not in front.
prefix_of() {
	local rest=$1. part prefix=0 ended=''
	is_ipv4 "$1" || return 1
	while [ -n "$rest" ]; do
		part=${rest%%.*}
		rest=${rest#*.}
		if [ -n "$ended" ] && [ "$part" != 0 ]; then return 1; fi
		case $part in
		255) prefix=$((prefix + 8)) ;;
		254) prefix=$((prefix + 7)) ;;
		252) prefix=$((prefix + 6)) ;;
		248) prefix=$((prefix + 5)) ;;
		240) prefix=$((prefix + 4)) ;;
		224) prefix=$((prefix + 3)) ;;
		192) prefix=$((prefix + 2)) ;;
		128) prefix=$((prefix + 1)) ;;
		0) ;;
		*) return 1 ;;
		esac
		[ "$part" = 255 ] || ended=1
	done
	echo $prefix
}

# class_prefix ADDRESS: what the kernel takes when the netmask is missing.
class_prefix() {
	local first=${1%%.*}
	if [ "$first" -lt 128 ]; then echo 8; elif [ "$first" -lt 192 ]; then echo 16; else echo 24; fi
}

# parse_ip VALUE: lines method=static|dhcp, address prefix gateway hostname device server, dns (may repeat).
# Status 1 and `reason` set when it cannot be used. Call it with a redirection, not in $( ): `reason` must survive.
parse_ip() {
	local address server gateway netmask hostname device autoconf dns0 dns1 more dns prefix
	reason=''
	case $1 in
	dhcp | on | any | both)
		echo method=dhcp
		return 0
		;;
	'')
		reason='there is no ip= on the kernel command line'
		return 1
		;;
	off | none)
		reason="ip=$1 leaves this machine without a network"
		return 1
		;;
	esac
	IFS=: read -r address server gateway netmask hostname device autoconf dns0 dns1 more <<-END
		$1
	END
	[ -z "$device" ] || echo "device=$device"
	[ -z "$hostname" ] || echo "hostname=$hostname"
	case $autoconf in
	dhcp | on | any | both)
		echo method=dhcp
		return 0
		;;
	'' | off | none | static) ;;
	*)
		reason="ip=$1: method \"$autoconf\" is neither off nor dhcp"
		return 1
		;;
	esac
	is_ipv4 "$address" || {
		reason="ip=$1: \"$address\" is not an IPv4 address"
		return 1
	}
	if [ -n "$netmask" ]; then
		prefix=$(prefix_of "$netmask") || {
			reason="ip=$1: \"$netmask\" is not a netmask"
			return 1
		}
	else
		prefix=$(class_prefix "$address")
	fi
	for dns in "$server" "$gateway" "$dns0" "$dns1"; do
		if [ -n "$dns" ] && ! is_ipv4 "$dns"; then
			reason="ip=$1: \"$dns\" is not an IPv4 address"
			return 1
		fi
	done
	printf '%s\n' method=static "address=$address" "prefix=$prefix"
	[ -z "$server" ] || echo "server=$server"
	[ -z "$gateway" ] || echo "gateway=$gateway"
	for dns in "$dns0" "$dns1"; do
		[ -z "$dns" ] || [ "$dns" = 0.0.0.0 ] || echo "dns=$dns"
	done
	# What follows dns1 is the NTP server; the clock comes from the claim.
	: "$more"
}

# bootif_mac VALUE: `01-52-54-00-00-00-01` (hardware type in front, as pxelinux writes it) as 52:54:00:00:00:01.
bootif_mac() {
	local mac
	mac=$(printf '%s' "$1" | tr 'A-F-' 'a-f:')
	case $mac in
	??:??:??:??:??:??:??) mac=${mac#???} ;;
	esac
	case $mac in
	*[!0-9a-f:]*) return 1 ;;
	??:??:??:??:??:??) printf '%s\n' "$mac" ;;
	*) return 1 ;;
	esac
}
