# shellcheck shell=dash
# A root file system of shared template and own layer.

# layer_fill FILES_TAR UPPER: the rendered files into a system's own layer. The layer is not mounted over the template yet:
# no link of the template can lead a file elsewhere. `reason` says why not.
layer_fill() {
	[ -s "$1" ] || return 0
	if reason=$(tar_refusal "$1"); then
		reason="rendered files refused: $reason"
		return 1
	fi
	reason=''
	tar -xof "$1" -C "$2" 2>"$1.errors" || {
		reason="rendered files: $(head -n 1 "$1.errors")"
		return 1
	}
}

# layer_default UPPER NAME TEXT: a file that every system gets unless its definition has it: own layer again, never the template.
layer_default() {
	[ ! -e "$1/$2" ] || return 0
	case $2 in
	*/*) mkdir -p "$1/${2%/*}" ;;
	esac
	printf '%s\n' "$3" >"$1/$2"
}

# overlay LOWER LAYER TARGET: mounts LOWER with LAYER/upper over it. `reason` says why not.
overlay() {
	mkdir -p "$2/upper" "$2/work" "$3"
	mount -t overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" overlay "$3" 2>"$2/errors" || {
		reason="overlay on $3: $(head -n 1 "$2/errors")"
		return 1
	}
}

# command_length FILE: how many words the command of a definition has.
command_length() {
	kv_all "$1" arg | wc -l
}
