# shellcheck shell=dash
# What the recipe says, and how it stops.

note() {
	printf 'boot assets: %s\n' "$1" >&2
}

die() {
	printf 'boot assets: ERROR: %s\n' "$1" >&2
	exit 1
}
