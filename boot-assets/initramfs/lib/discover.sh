# shellcheck shell=dash
# A machine that nobody knows yet: tell what it is and wait until somebody approves it.

# inventory_body
inventory_body() {
	local path name
	kv product "$(dmi sys_vendor) $(dmi product_name)"
	kv_present serial "$(dmi product_serial)"
	kv cpu "$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)"
	kv cpus "$(grep -c '^processor' /proc/cpuinfo)"
	kv memory-bytes "$(memory_bytes MemTotal)"
	for path in /sys/block/*; do
		name=${path##*/}
		# Only what has hardware behind it: no loop, ram, md; `size` counts 512-byte sectors whatever the disk's own size is.
		[ -e "$path/device" ] || continue
		kv disk "$name $(($(cat "$path/size") * 512)) $(cat "$path/device/model" 2>/dev/null || echo unknown)"
	done
	for path in /sys/class/net/*; do
		[ -e "$path/device" ] || continue
		name=$(readlink "$path/device/driver")
		kv nic "${path##*/} $(cat "$path/address") ${name##*/}"
	done
}

# discover NIC: never returns. The modules come first when the claim offers them: the initrd has no disk drivers.
discover() {
	local seconds said=0 digest serial
	serial=$(dmi product_serial)
	digest=$(kv_get "$anybios_run/claim" modules-sha256)
	if [ -n "$digest" ]; then
		if fetch_modules : modules; then
			umount /lib/modules 2>/dev/null
			mount --bind "$modules_place" /lib/modules
			coldplug
		else
			say "the inventory will have no disks: $reason"
		fi
	fi
	inventory_body >"$anybios_run/inventory"
	while ! agent POST inventory "$anybios_run/answer" "$anybios_run/inventory"; do
		refused && fail stage1 "inventory: $http_error"
		say "inventory: $http_error; next try in 5 s"
		sleep 5
	done
	while :; do
		if [ "$said" -eq 0 ]; then say "waiting for approval of $(cat "/sys/class/net/$1/address"), $(dmi product_name), serial number ${serial:-none}"; fi
		said=$(((said + 1) % 12))
		seconds=5
		if agent GET next "$anybios_run/next"; then
			seconds=$(kv_get "$anybios_run/next" seconds 5)
			is_size "$seconds" || seconds=5
			if [ "$(kv_get "$anybios_run/next" action)" = reboot ]; then
				say 'approved: rebooting'
				reboot_now
			fi
		else
			# The approval may have ended this session: a new boot finds out.
			refused && fail stage1 "waiting for approval: $http_error"
			say "waiting for approval: $http_error"
		fi
		sleep "$seconds"
	done
}
