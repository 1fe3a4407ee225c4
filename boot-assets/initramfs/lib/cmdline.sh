# shellcheck shell=dash
# The kernel command line. Values are looked up by name and never become shell variables: `PATH=/x` on the line stays text.

# split_cmdline TEXT: one parameter a line. Blanks separate, double quotes group and are removed (lib/cmdline.c, next_arg);
# what follows `--` is for init, not for us.
split_cmdline() {
	local rest=$1 word='' started='' quoted='' head
	while [ -n "$rest" ]; do
		head=${rest%%[\"[:space:]]*}
		if [ -n "$head" ]; then
			word=$word$head
			started=1
			rest=${rest#"$head"}
			continue
		fi
		case $rest in
		'"'*)
			started=1
			if [ -n "$quoted" ]; then quoted=''; else quoted=1; fi
			;;
		*)
			if [ -n "$quoted" ]; then
				word="$word "
			elif [ -n "$started" ]; then
				[ "$word" = -- ] && return 0
				printf '%s\n' "$word"
				word=''
				started=''
			fi
			;;
		esac
		rest=${rest#?}
	done
	if [ -n "$started" ] && [ "$word" != -- ]; then printf '%s\n' "$word"; fi
}

# getarg NAME [DEFAULT]: the value of NAME in the split command line ($anybios_run/cmdline); the last one wins, as in the
# kernel. A word without `=` has the empty value. Status 1 when it is absent (DEFAULT is printed all the same).
getarg() {
	local line value=${2-} found=1
	while IFS= read -r line; do
		case $line in
		"$1")
			value=''
			found=0
			;;
		"$1="*)
			value=${line#*=}
			found=0
			;;
		esac
	done <"$anybios_run/cmdline"
	printf '%s\n' "$value"
	return $found
}
