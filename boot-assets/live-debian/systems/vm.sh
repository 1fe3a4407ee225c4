# shellcheck shell=dash
# Systems of kind vm: QEMU. From a template: the shared kernel and initrd outside, disks that are found by their serial, no BIOS menu.
# From a disk image: its own boot loader. With neither: the network, as a machine of the server.

# vm_accelerator: `kvm` only where the processor says that it can: /dev/kvm alone proves nothing. `nested` on a machine that is emulated
# itself: it may show the processor's virtualization and emulate that too, which is slower than software emulation.
vm_accelerator() {
	if [ "$(systemd-detect-virt --vm)" = qemu ]; then
		echo nested
	elif [ -c /dev/kvm ] && grep -qE '^flags.* (vmx|svm)( |$)' /proc/cpuinfo; then
		echo kvm
	else
		echo tcg
	fi
}

# vm_computer: sets `computer`, words for QEMU, and `bus`, the end of the names of virtio devices.
vm_computer() {
	bus=pci
	case $(vm_accelerator)$(kv_get "$definition" append) in
	kvm*) computer='-machine pc,accel=kvm,graphics=off -cpu host' ;;
	nested?*)
		# A hundred times slower than the processor below: the ticks of a clock that goes on meanwhile would take all of it, so time
		# goes with the instructions (8 ns for each). Without firmware and PCI there is less to emulate.
		computer='-machine microvm,accel=tcg -cpu qemu64 -icount shift=3'
		bus=device
		;;
	*) computer='-machine pc,accel=tcg,graphics=off -cpu max' ;;
	esac
}

# vm_storage: sets `disk_path`: where what the VM writes lies; empty for a VM that keeps nothing. FILE is its name there.
vm_storage() {
	local label size
	size=$(kv_get "$definition" storage-size-bytes)
	disk_path=''
	if [ "$(kv_get "$definition" storage ram)" = label ]; then
		label=$(kv_get "$definition" storage-label)
		disk_mount "$label" "$(kv_get "$definition" storage-device)" || return 1
		disk_path=$anybios_run/disks/$label/$(kv_get "$definition" storage-path)
		mkdir -p "${disk_path%/*}"
		return 0
	fi
	mkdir -p "$folder/layer"
	is_mounted "$folder/layer" || mount -t tmpfs -o "mode=0700,size=${size:-50%}" "layer-$name" "$folder/layer"
	disk_path=$folder/layer/disk
}

# vm_compose: what QEMU opens. `reason` says why not.
vm_compose() {
	local digest base format
	rm -f "$folder/disks"
	digest=$(kv_get "$definition" disk-sha256)
	if [ -n "$digest" ]; then
		vm_storage || return 1
		base=$anybios_run/images/$digest.img
		format=raw
		# qcow2 starts with these four bytes ("QFI" and 0xfb).
		[ "$(head -c 4 "$base" | od -An -tx1 | tr -d ' ')" != 514649fb ] || format=qcow2
		if [ ! -s "$disk_path.qcow2" ]; then
			# shellcheck disable=SC2046 # a size, or no word
			qemu-img create -q -f qcow2 -F "$format" -b "$base" "$disk_path.qcow2.new" $(kv_get "$definition" storage-size-bytes) \
				2>"$folder/qemu-img.errors" || {
				reason="its disk: $(head -n 1 "$folder/qemu-img.errors")"
				return 1
			}
			mv "$disk_path.qcow2.new" "$disk_path.qcow2"
		else
			# The image lies elsewhere after a new boot; its bytes are the same, or the operator wants them exchanged.
			qemu-img rebase -q -u -f qcow2 -F "$format" -b "$base" "$disk_path.qcow2"
		fi
		echo "disk qcow2 rw $disk_path.qcow2" >"$folder/disks"
		return 0
	fi
	[ -n "$(kv_get "$definition" image-sha256)" ] || return 0
	{
		echo "template raw ro $anybios_run/images/$(kv_get "$definition" image-sha256).img"
		echo "modules raw ro $anybios_run/images/$(kv_get "$definition" modules-sha256).img"
		echo "own raw ro $folder/own.tar"
		digest=$(kv_get "$definition" layer-sha256)
		[ -z "$digest" ] || echo "layer raw ro $anybios_run/images/$digest.img"
	} >"$folder/disks"
	vm_own || return 1
	if [ "$(kv_get "$definition" storage ram)" = label ]; then
		vm_storage || return 1
		disk_file "$disk_path.ext4" "$(kv_get "$definition" storage-size-bytes)" || return 1
		[ -n "$(blkid -p -o value -s TYPE "$disk_path.ext4")" ] || mkfs.ext4 -q -m 0 -L layer "$disk_path.ext4" || {
			reason='its disk: mkfs.ext4 failed'
			return 1
		}
		echo "data raw rw $disk_path.ext4" >>"$folder/disks"
	fi
}

# vm_own: what is the VM's own, as a tar on a disk: its command and environment, its rendered files.
vm_own() {
	rm -rf "$folder/own"
	mkdir -p "$folder/own"
	{
		kv_all "$definition" arg | sed 's/^/arg=/'
		kv_all "$definition" env | sed 's/^/env=/'
		[ -z "$(kv_get "$definition" storage-size-bytes)" ] || [ "$(kv_get "$definition" storage)" != ram ] ||
			echo "layer-bytes=$(kv_get "$definition" storage-size-bytes)"
	} >"$folder/own/definition"
	cp "$folder/files.tar" "$folder/own/files.tar"
	# Disks have whole sectors; tar fills up to 10 KiB.
	tar -cf "$folder/own.tar" -C "$folder/own" definition files.tar || {
		reason='its own files do not fit into the RAM'
		return 1
	}
	rm -rf "$folder/own"
}

# vm_launch NAME: QEMU in the foreground. Its serial port is a socket for `console`, and a log. -no-reboot: the end of the guest, a
# reboot of it too, is the end of the system, and its restart policy decides.
vm_launch() {
	local name=$1 mac serial format access file cpus computer bus
	mac=$(kv_get "$definition" mac)
	cpus=$(kv_get "$definition" cpus 1)
	case $cpus in
	*.*) cpus=$((${cpus%.*} + 1)) ;;
	esac
	vm_computer
	# shellcheck disable=SC2086 # words
	set -- -nodefaults -no-user-config -name "$name" $computer \
		-m "$(($(kv_get "$definition" memory-bytes) / 1048576))" -smp "$cpus" -display none -no-reboot \
		-chardev "socket,id=console,path=$folder/console,server=on,wait=off,logfile=$folder/console.log,logappend=on" -serial chardev:console \
		-qmp "unix:$folder/qmp,server=on,wait=off" -device "virtio-rng-$bus" \
		-netdev "tap,id=net,ifname=$(cat "$folder/link"),script=no,downscript=no" -device "virtio-net-$bus,netdev=net,mac=$mac"
	if [ -n "$(kv_get "$definition" append)" ]; then
		set -- "$@" -kernel "$anybios_run/images/$(kv_get "$definition" vmlinuz-sha256).img" \
			-initrd "$anybios_run/images/$(kv_get "$definition" initrd-sha256).img" -append "$(kv_get "$definition" append)"
	elif [ -z "$(kv_get "$definition" disk)" ]; then
		set -- "$@" -boot n
	fi
	if [ -e "$folder/disks" ]; then
		while read -r serial format access file; do
			set -- "$@" -drive "file=$file,format=$format,if=none,id=$serial$(if [ "$access" = ro ]; then echo ,readonly=on; fi)" \
				-device "virtio-blk-$bus,drive=$serial,serial=$serial"
		done <"$folder/disks"
	fi
	printf '\nanybios: system %s starts\n' "$name" >>"$folder/console.log"
	: >"$folder/entered"
	exec qemu-system-x86_64 "$@"
}

# vm_shut_down: asks the guest to end by itself; its power button. QMP: docs/interop/qmp-spec.txt of QEMU.
vm_shut_down() {
	printf '%s\n' '{"execute":"qmp_capabilities"}' '{"execute":"system_powerdown"}' | timeout 5 socat -t 1 - "UNIX-CONNECT:$folder/qmp" >/dev/null 2>&1
}
