#!/bin/sh
# Called by udhcpc ($1) and by dhclient ($reason): sets the address and appends one line to $DHCP_TEST_LOG.
set -eu
device=${interface:?}
if [ $# -gt 0 ]; then
	reason=$1
	address=${ip:-} mask=${subnet:-} time=${lease:-} gateway=${router:-} server=${serverid:-}
else
	address=${new_ip_address:-} mask=${new_subnet_mask:-} time=${new_dhcp_lease_time:-} gateway=${new_routers:-} server=${new_dhcp_server_identifier:-}
fi
echo "reason=$reason address=$address mask=$mask lease=$time router=$gateway server=$server hostname=${hostname:-${new_host_name:-}} domain=${domain:-${new_domain_name:-}} dns=${dns:-${new_domain_name_servers:-}}" >>"$DHCP_TEST_LOG"
case $reason in
PREINIT | deconfig) ip link set dev "$device" up ;;
bound | BOUND | REBOOT | renew | RENEW) ip addr replace "$address/$mask" dev "$device" ;;
esac
