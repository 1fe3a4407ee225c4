# shellcheck shell=dash
# Which systems to enter: the server's list (the claim), narrowed by `chroot=/systems/web,/systems/db` of the command line,
# so that somebody at the boot prompt can leave one out.

# listed CHROOT_ARG: the names, one a line.
listed() {
	printf '%s\n' "$1" | tr ',' '\n' | sed 's,/*$,,; s,.*/,,'
}

# select_systems CHROOT_ARG CLAIMED: names of CLAIMED in its order.
select_systems() {
	local name
	for name in $2; do
		is_system_name "$name" || continue
		if [ -z "$1" ] || listed "$1" | grep -qxF "$name"; then echo "$name"; fi
	done
}

# unknown_systems CHROOT_ARG CLAIMED: names of the command line that the server did not assign, blank-separated.
unknown_systems() {
	local name text=''
	for name in $(listed "$1"); do
		printf '%s\n' "$2" | grep -qxF -- "$name" || text="$text $name"
	done
	printf '%s\n' "${text# }"
}
