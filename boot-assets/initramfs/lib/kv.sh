# shellcheck shell=dash
# The bodies of the machine protocol (docs/booting.md): lines key=value, a key may repeat, a value never holds a newline.

# kv KEY VALUE: one line. Newlines and carriage returns become blanks: they would start a line of their own.
kv() {
	local value=$2
	case $value in
	*[[:cntrl:]]*) value=$(printf '%s' "$value" | tr '\000-\037\177' ' ') ;;
	esac
	printf '%s=%s\n' "$1" "$value"
}

# kv_present KEY VALUE: the same, nothing for an empty value (old machines have no serial number).
kv_present() {
	[ -z "$2" ] || kv "$1" "$2"
}

# kv_all FILE KEY: every value of KEY, one a line, in order. Nothing when it is absent.
kv_all() {
	local line
	[ -r "$1" ] || return 0
	while IFS= read -r line || [ -n "$line" ]; do
		line=${line%"$carriage_return"}
		case $line in
		"$2="*) printf '%s\n' "${line#*=}" ;;
		esac
	done <"$1"
}

# kv_get FILE KEY [DEFAULT]: the first value of KEY.
kv_get() {
	local value
	value=$(kv_all "$1" "$2")
	value=${value%%"$newline"*}
	[ -n "$value" ] || value=${3-}
	printf '%s\n' "$value"
}

newline='
'
carriage_return=$(printf '\r')
