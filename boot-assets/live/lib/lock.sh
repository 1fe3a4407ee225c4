# shellcheck shell=dash
# One at a time. (busybox here has no `flock`.)

# lock DIR: waits until it is ours; one whose owner has died is taken over. Fails (`reason`) where no lock can be made any more.
lock() {
	until mkdir "$1" 2>/dev/null; do
		[ -d "${1%/*}" ] || {
			reason="${1%/*} is gone"
			return 1
		}
		if [ -s "$1/owner" ] && [ ! -d "/proc/$(cat "$1/owner")" ]; then rm -rf "$1"; else sleep 0.2; fi
	done
	echo "$$" >"$1/owner"
}

unlock() {
	rm -rf "$1"
}
