# shellcheck shell=dash
# What a system has written on a labelled disk, on its way to another machine (docs/control.md, "Moves"; ADR 16). The server asks step by
# step and joins the standard output of one machine to the standard input of the other; it sees none of the bytes. Nothing lies under
# its own name on the new machine before all of it has come and both digests are the same. Failures are left in `reason`.

# storage_move REQUEST: one step: measure, room, send, receive, take, discard, put-aside.
storage_move() {
	umask 022
	exec 3<&0
	move_id=$(kv_get "$1" id)
	name=$(kv_get "$1" system)
	label=$(kv_get "$1" label)
	entry=$(kv_get "$1" path)
	if ! is_job_id "$move_id" || ! is_system_name "$name"; then
		reason='id= or system= does not fit'
		return 1
	fi
	case $label in
	'' | *[!A-Za-z0-9._-]* | [!A-Za-z0-9]*)
		reason='label= does not fit'
		return 1
		;;
	esac
	case /$entry in
	*[!A-Za-z0-9._/-]* | */[!A-Za-z0-9]* | */)
		reason='path= does not fit'
		return 1
		;;
	esac
	# With a size it is a file system in a file (storage.sh).
	[ "$(kv_get "$1" form)" != file ] || entry=$entry.ext4
	place=$anybios_run/disks/$label
	part=$place/.anybios-move.$move_id.$name
	case $(kv_get "$1" 'do') in
	measure) move_measure ;;
	room) move_room "$(kv_get "$1" device)" "$(kv_get "$1" bytes)" ;;
	send) move_send ;;
	receive) move_receive "$(kv_get "$1" device)" "$(kv_get "$1" bytes)" ;;
	take) move_take ;;
	discard) move_discard ;;
	put-aside) move_put_aside ;;
	*)
		reason='do= is no step of a move'
		return 1
		;;
	esac
}

# move_free: nobody here may write what is copied, or has begun with what is to come.
move_free() {
	if [ -d "$anybios_run/systems/$name" ]; then
		reason="system $name is on this machine"
		return 1
	fi
	# Its file system may be in use still, taken away lazily.
	if [ -n "$(losetup --associated "$place/$entry" 2>/dev/null)" ]; then
		reason="$entry on $label is in use"
		return 1
	fi
}

# move_absent: what lies here already is never written over.
move_absent() {
	[ -e "$place/$entry" ] || return 0
	reason="there is something at $entry on $label already: look at it, and move it away"
	return 1
}

# move_tar FILE: owners by number, modes, times, holes, attributes and access lists; an overlay keeps its marks in trusted.* and as devices.
move_tar() {
	LC_ALL=C tar --create --file="$1" --format=posix --numeric-owner --sparse --acls --xattrs '--xattrs-include=*' --totals \
		--directory="$place/$(dirname "$entry")" -- "$(basename "$entry")"
}

# move_measure: into /dev/null tar reads no file, and counts the very bytes of its stream (GNU tar, --totals).
move_measure() {
	local bytes
	disk_mount "$label" || return 1
	[ -e "$place/$entry" ] || {
		reason="there is nothing at $entry on $label: system $name has written nothing here"
		return 1
	}
	bytes=$(move_tar /dev/null 2>&1 | sed -n 's/^Total bytes written: \([0-9]*\) .*/\1/p')
	tell bytes "${bytes:-0}"
}

# move_room DEVICE BYTES
move_room() {
	local room
	disk_mount "$label" "$1" || return 1
	move_free && move_absent || return 1
	room=$(df -P -B 1 "$place" | awk 'NR == 2 { print $4 }')
	[ "${room:-0}" -gt "${2:-0}" ] || {
		reason="label $label has room for $(mib "${room:-0}"), and $(mib "${2:-0}") are to come"
		return 1
	}
}

# move_work: fifos and results of one step, at $work.
move_work() {
	work=$anybios_run/move.$$
	rm -rf "$work"
	mkdir -p "$work"
	mkfifo "$work/sum" "$work/data"
}

move_send() {
	local failed
	disk_mount "$label" || return 1
	move_free || return 1
	move_work
	sha256sum <"$work/sum" >"$work/digest" &
	{
		move_tar - 2>"$work/errors"
		echo "$?" >"$work/status"
	} | tee "$work/sum"
	wait
	failed=$(read_line "$work/status" 1)
	reason="reading $entry: $(head -n 1 "$work/errors")"
	tell digest "$(cut -d ' ' -f 1 "$work/digest")"
	rm -rf "$work"
	[ "$failed" = 0 ]
}

# move_break: nobody writes there any more, then it goes.
move_break() {
	[ -z "$tee" ] || kill "$tee" 2>/dev/null || true # it has ended
	wait
	rm -rf "$part" "$work"
}

# move_receive DEVICE BYTES: tells `ready` before the first byte is taken, `bytes` as they come, `digest` of all at the end.
move_receive() {
	local old ticks=0 failed=''
	disk_mount "$label" "$1" || return 1
	for old in "$place"/.anybios-move.*; do
		# Left by a move that broke.
		case $old in "$place/.anybios-move.$move_id".*) ;; *) rm -rf "$old" ;; esac
	done
	move_room "$1" "$2" || return 1
	move_work
	rm -rf "$part"
	mkdir "$part"
	# Whatever ends this: half of it stays nowhere.
	tee=''
	trap move_break EXIT
	trap 'exit 1' HUP TERM PIPE
	tell ready yes
	sha256sum <"$work/sum" >"$work/digest" &
	{
		LC_ALL=C tar --extract --file=- --numeric-owner --same-owner --preserve-permissions --acls --xattrs '--xattrs-include=*' \
			--directory="$part" <"$work/data" 2>"$work/errors"
		echo "$?" >"$work/status"
	} &
	tee "$work/sum" <&3 >"$work/data" &
	tee=$!
	while kill -0 "$tee" 2>/dev/null; do
		ticks=$((ticks + 1))
		# What it writes goes two ways.
		[ "$((ticks % 5))" -ne 0 ] || tell bytes "$(awk '$1 == "wchar:" { printf "%.0f\n", $2 / 2 }' "/proc/$tee/io" 2>/dev/null)"
		sleep 0.2
	done
	wait
	[ "$(read_line "$work/status" 1)" = 0 ] || failed=$(head -n 1 "$work/errors")
	tell digest "$(cut -d ' ' -f 1 "$work/digest")"
	if [ -n "$failed" ] || [ ! -e "$part/$(basename "$entry")" ]; then
		reason="writing to $label: ${failed:-what came is not whole}"
		return 1
	fi
	# On the disk, not only in memory: the other copy is put aside soon.
	sync -f "$part"
	trap - EXIT
	rm -rf "$work"
}

# move_take: from here on it is what the system has written. Asked again it is done already.
move_take() {
	disk_mount "$label" || return 1
	move_free || return 1
	if [ -e "$part.taken" ] && [ ! -d "$part" ]; then return 0; fi
	move_absent || return 1
	: >"$part.taken"
	mkdir -p "$place/$(dirname "$entry")"
	mv "$part/$(basename "$entry")" "$place/$entry" 2>"$anybios_run/move.errors" || {
		reason="$(head -n 1 "$anybios_run/move.errors")"
		return 1
	}
	rmdir "$part"
	sync -f "$place"
}

# move_discard: the move failed after all. What it has taken into use is its copy, and nobody has begun with it.
move_discard() {
	move_free || return 1
	disk_mount "$label" || return 0 # then nothing has come here
	if [ -e "$part.taken" ] && [ ! -d "$part" ]; then rm -rf "${place:?}/$entry"; fi
	rm -rf "$part" "$part.taken"
}

# move_put_aside: what has gone to another machine is not what this system has written any more. The last one is kept: no path of a
# site file has a part that begins with a dot.
move_put_aside() {
	local aside
	disk_mount "$label" || return 1
	move_free || return 1
	aside=$place/$(dirname "$entry")/.$(basename "$entry").moved
	rm -rf "$aside"
	mv "$place/$entry" "$aside" 2>"$anybios_run/move.errors" || {
		reason="$(head -n 1 "$anybios_run/move.errors")"
		return 1
	}
	sync -f "$place"
}
