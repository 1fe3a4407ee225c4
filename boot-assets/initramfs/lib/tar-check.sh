# shellcheck shell=dash
# The rendered files of a system come as a tar; it may hold files and folders below the system's own layer, nothing else.

# name_refusal NAME: prints why a path of the archive is refused; status 1 when it is fine.
name_refusal() {
	case $1 in
	'') echo 'an empty name' ;;
	/*) echo "absolute name $1" ;;
	.. | ../* | */.. | */../*) echo "name with .. $1" ;;
	*) return 1 ;;
	esac
}

# tar_refusal FILE: prints why the archive is refused; status 1 when it may be extracted. Links and devices are refused: a
# link extracted first would lead the next file out of the layer.
tar_refusal() {
	local line
	tar -tvf "$1" >"$1.list" 2>"$1.errors" || {
		echo "not a tar: $(head -n 1 "$1.errors")"
		return 0
	}
	# busybox tar cuts `/` and `../` off names and says so here: such an archive is wrong as a whole.
	if [ -s "$1.errors" ]; then
		echo "unsafe names: $(head -n 1 "$1.errors")"
		return 0
	fi
	while IFS= read -r line; do
		case $line in
		# A hard link is listed as a file with its target behind an arrow.
		*' -> '* | [!-d]*)
			echo "an entry that is neither file nor folder: $line"
			return 0
			;;
		esac
	done <"$1.list"
	tar -tf "$1" >"$1.list" 2>"$1.errors"
	while IFS= read -r line; do
		name_refusal "$line" && return 0
	done <"$1.list"
	return 1
}
