# shellcheck shell=dash
# Which systems to enter: the server's list (the claim), narrowed by `chroot=/systems/web,/systems/db` of the command line,
# so that somebody at the boot prompt can leave one out.

# listed CHROOT_ARG: the names, one a line.
listed() {
	printf '%s\n' "$1" | tr ',' '\n' | sed 's,/*$,,; s,.*/,,'
}

# left_out CHROOT_ARG CLAIMED NAME: whether somebody left this one out at the boot prompt. What the role got since then was not there
# to be left out.
left_out() {
	[ -n "$1" ] || return 1
	printf '%s\n' "$2" | grep -qxF -- "$3" || return 1
	! listed "$1" | grep -qxF -- "$3"
}

# still_wanted CHROOT_ARG CLAIMED FILE: of the names on standard input those that shall run here, one a line; FILE gets the others.
still_wanted() {
	local name
	: >"$3.new"
	while read -r name; do
		is_system_name "$name" || continue
		if left_out "$1" "$2" "$name"; then echo "$name" >>"$3.new"; else echo "$name"; fi
	done
	mv "$3.new" "$3"
}

# unknown_systems CHROOT_ARG CLAIMED: names of the command line that the server did not assign, blank-separated.
unknown_systems() {
	local name text=''
	for name in $(listed "$1"); do
		printf '%s\n' "$2" | grep -qxF -- "$name" || text="$text $name"
	done
	printf '%s\n' "${text# }"
}
