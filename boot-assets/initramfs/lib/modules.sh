# shellcheck shell=dash
# Drivers by modalias.

# coldplug: loads a driver for every device that names one, until no new device appears (virtio_pci makes the virtio device
# that virtio_net wants; a USB host shows its network card later).
coldplug() {
	local round before=''
	for round in 1 2 3 4 5; do
		# A device may go while it is read; its driver then has nothing to do.
		find /sys/devices -name modalias -exec cat {} + 2>/dev/null | sort -u >"$anybios_run/modalias.$round"
		if [ -n "$before" ] && cmp -s "$before" "$anybios_run/modalias.$round"; then break; fi
		before=$anybios_run/modalias.$round
		xargs modprobe -a -b -q <"$before" 2>/dev/null || true # an alias without a driver here is the normal case
	done
	rm -f "$anybios_run"/modalias.*
}

# need_modules NAME...: prints the first one that the kernel has neither built in nor as a module; status 1 when all are there.
need_modules() {
	local module
	for module in "$@"; do
		if ! modprobe -q "$module"; then
			echo "$module"
			return 0
		fi
	done
	return 1
}
