# shellcheck shell=dash
# Debian packages: those installed on this machine (busybox, boot loaders), and kernels, which are only unpacked.

# installed_versions PACKAGE...: `name version` lines; dies when one is missing.
installed_versions() {
	local package version
	for package in "$@"; do
		version=$(dpkg-query -W -f '${Version}' "$package" 2>/dev/null)
		[ -n "$version" ] || die "package $package is not installed: apt-get install $package"
		echo "$package $version"
	done
}

# newest_kernel META CACHE: `package version` of the kernel that META (linux-image-cloud-amd64) means now. Without package lists
# the newest one in the cache is taken: after the first build nothing needs the network.
newest_kernel() {
	local line file
	line=$(apt-cache show --no-all-versions "$1" 2>/dev/null |
		sed -n 's/^Depends: \(linux-image-[^ ]*\) (= \([^)]*\)).*/\1 \2/p' | head -n 1)
	if [ -z "$line" ] || { [ ! -e "$2/$(deb_name "$line")" ] && ! lists_usable "${line%% *}"; }; then
		file=$(find "$2" -name "linux-image-[0-9]*${1#linux-image}_*.deb" 2>/dev/null | LC_ALL=C sort -V | tail -n 1)
		[ -n "$file" ] || die "no package $1 in apt's lists: apt-get update"
		file=${file##*/}
		line=$(printf '%s' "${file%_*}" | sed 's/_/ /; s/%3a/:/')
	fi
	printf '%s\n' "$line"
}

# lists_usable PACKAGE: whether apt knows where to get it.
lists_usable() {
	[ -n "$(apt-cache show --no-all-versions "$1" 2>/dev/null)" ]
}

# deb_name "PACKAGE VERSION" [ARCHITECTURE]: the file that apt-get download makes.
deb_name() {
	printf '%s_%s_%s.deb\n' "${1%% *}" "$(printf '%s' "${1#* }" | sed 's/:/%3a/')" "${2:-amd64}"
}

# fetch_deb PACKAGE VERSION CACHE [ARCHITECTURE]: prints the .deb in the cache, downloaded when it is not there. APT verifies it against the
# signed lists.
fetch_deb() {
	local file
	file="$3/$(deb_name "$1 $2" "${4:-amd64}")"
	if [ ! -s "$file" ]; then
		note "downloading $1 $2"
		mkdir -p "$3/partial"
		# shellcheck disable=SC2086 # apt_options is a list of words of our own
		(cd "$3/partial" && apt-get ${apt_options-} -q -o APT::Sandbox::User=root -o Acquire::Retries=3 download "$1=$2" >&2) ||
			die "$1 $2 could not be downloaded (apt-get update, if the mirror has a newer one)"
		mv "$3/partial/${file##*/}" "$file"
	fi
	printf '%s\n' "$file"
}
