# shellcheck shell=dash
# Where systems write: RAM of a size, or a partition with a label. A disk is formatted only when the server says that this machine
# declares it for the label, and only when it is empty. Every function leaves its failure in `reason`.

# disk_content DEVICE: prints what is on it; nothing when it is empty: no partitions, no signature, zeros at both ends.
disk_content() {
	local size kind
	if [ "$(lsblk -n -o NAME "$1" 2>/dev/null | wc -l)" -ne 1 ]; then
		echo 'partitions, or a part of something larger'
		return 0
	fi
	kind=$(blkid -p -o value -s TYPE -s PTTYPE "$1" 2>/dev/null | tr '\n' ' ')
	if [ -n "$kind" ]; then
		echo "${kind% }"
		return 0
	fi
	size=$(blockdev --getsize64 "$1" 2>/dev/null)
	if [ "${size:-0}" -lt 8388608 ]; then
		echo 'less than 8 MiB of room'
		return 0
	fi
	# A partition table or file system that blkid does not know lies at the start; RAID and LVM also write to the end.
	if ! cmp -s -n 1048576 /dev/zero "$1" || ! tail -c 1048576 "$1" | cmp -s -n 1048576 /dev/zero -; then
		echo 'data that is no file system'
	fi
}

# disk_format DEVICE LABEL
disk_format() {
	local content
	[ -b "$1" ] || {
		reason="no disk has the label $2, and $1 is not there"
		return 1
	}
	content=$(disk_content "$1")
	if [ -n "$content" ]; then
		reason="no disk has the label $2, and $1 is not empty: $content"
		return 1
	fi
	say "formatting $1 for the label $2"
	report systems formatted message "$1 was empty and got the label $2" || true # said on the console
	mkfs.ext4 -q -m 0 -L "$2" "$1" 2>"$anybios_run/mkfs.errors" || {
		reason="$1: mkfs.ext4: $(head -n 1 "$anybios_run/mkfs.errors")"
		return 1
	}
}

# disk_mount LABEL [DEVICE]: at $anybios_run/disks/LABEL; one lock for all systems that use it.
disk_mount() {
	local place="$anybios_run/disks/$1" found
	mkdir -p "$place"
	if is_mounted "$place"; then return 0; fi
	# Drivers of disks may still be loading.
	udevadm settle --timeout=20
	found=$(blkid -c /dev/null -t "LABEL=$1" -o device)
	case $found in
	'')
		[ -n "${2-}" ] || {
			reason="no disk has the label $1, and the machine declares none for it (disks)"
			return 1
		}
		disk_format "$2" "$1" || return 1
		found=$2
		;;
	*"$newline"*)
		reason="more than one disk has the label $1: $(printf '%s' "$found" | tr '\n' ' ')"
		return 1
		;;
	esac
	mount -o nodev,noatime "$found" "$place" 2>"$anybios_run/mount.errors" || {
		reason="label $1: $(head -n 1 "$anybios_run/mount.errors")"
		return 1
	}
}

# disk_file FILE BYTES: a file of that size; it may grow, never shrink.
disk_file() {
	local size
	mkdir -p "${1%/*}"
	size=$(stat -c %s "$1" 2>/dev/null || echo 0)
	if [ "$size" -gt "$2" ]; then
		reason="its storage has $(mib "$size") already, more than its size says"
		return 1
	fi
	[ "$size" -eq "$2" ] || truncate -s "$2" "$1"
}

# storage_layer DEFINITION: the place for a chroot's or container's own layer, at $folder/layer.
storage_layer() {
	local label size path limit file
	if is_mounted "$folder/layer"; then return 0; fi
	mkdir -p "$folder/layer"
	size=$(kv_get "$1" storage-size-bytes)
	if [ "$(kv_get "$1" storage ram)" = ram ]; then
		# What it writes is RAM: never more than its own limit, nor half of the machine.
		limit=${size:-$(kv_get "$1" memory-bytes 50%)}
		mount -t tmpfs -o "mode=0755,size=$limit" "layer-$name" "$folder/layer"
		return 0
	fi
	label=$(kv_get "$1" storage-label)
	path=$(kv_get "$1" storage-path)
	disk_mount "$label" "$(kv_get "$1" storage-device)" || return 1
	if [ -z "$size" ]; then
		mkdir -p "$anybios_run/disks/$label/$path"
		mount --bind "$anybios_run/disks/$label/$path" "$folder/layer"
		return 0
	fi
	# A file system of its own in a file: the only limit that ext4 keeps without quotas.
	file=$anybios_run/disks/$label/$path.ext4
	disk_file "$file" "$size" || return 1
	if [ -z "$(blkid -p -o value -s TYPE "$file")" ]; then
		mkfs.ext4 -q -m 0 "$file" || {
			reason="$path on $label: mkfs.ext4 failed"
			return 1
		}
	else
		# After a power cut too: replays the journal, then takes the room that the file has got.
		e2fsck -p "$file" >/dev/null 2>&1
		resize2fs "$file" >/dev/null 2>&1 || true # it is as large as the file already
	fi
	mount -o loop,nodev,noatime "$file" "$folder/layer" 2>"$anybios_run/mount.errors" || {
		reason="$path on $label: $(head -n 1 "$anybios_run/mount.errors")"
		return 1
	}
}
