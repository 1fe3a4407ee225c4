# shellcheck shell=dash
# What has changed of a system, by the digests of its definition (docs/control.md): DEFINITION.IMAGES.LIMITS.

# digest_change HAVE WANTED all|definitions: `same`, `new` (nothing is composed), `limits` (they alone), or `definition`. Other
# versions of its images count with `all` only: a new `stable` restarts no system by itself.
digest_change() {
	local have=$1 wanted=$2 have_rest=${1#*.} wanted_rest=${2#*.}
	if [ -z "$have" ]; then
		echo new
	elif [ "${have%%.*}" != "${wanted%%.*}" ]; then
		echo definition
	elif [ "$3" = all ] && [ "${have_rest%.*}" != "${wanted_rest%.*}" ]; then
		echo definition
	elif [ "${have##*.}" != "${wanted##*.}" ]; then
		echo limits
	else
		echo same
	fi
}
