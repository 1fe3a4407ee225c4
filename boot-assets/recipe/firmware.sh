# shellcheck shell=dash
# Firmware that wired network cards ask for: the names that `modinfo -F firmware` gives, from Debian's packages. Most are in the
# component non-free-firmware, which this machine's sources may not have: APT is asked with sources and state of our own
# (below the cache), the machine's stay as they are.

firmware_packages='firmware-linux-free firmware-bnx2 firmware-bnx2x firmware-cavium firmware-misc-nonfree firmware-myricom
firmware-netronome firmware-netxen firmware-qlogic firmware-realtek'

# firmware_sources CACHE: sets apt_options, for the Debian mirror this machine uses already. Asks the mirror only when the
# machine's own lists are newer than ours. Status 1 when there is no mirror or it does not answer.
firmware_sources() {
	local state="$1/apt" keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	mkdir -p "$state/lists/partial" "$state/archives/partial"
	apt_options="-o Dir::State=$state -o Dir::State::Lists=$state/lists -o Dir::Cache=$state -o Dir::Cache::Archives=$state/archives \
-o Dir::Etc::SourceList=$state/sources.list -o Dir::Etc::SourceParts=/dev/null -o APT::Sandbox::User=root"
	# shellcheck disable=SC2016 # the format is apt's
	apt-get indextargets --format '$(ORIGIN) $(COMPONENT) $(SITE) $(CODENAME)' 'Created-By: Packages' 2>/dev/null |
		awk -v keyring="$keyring" '$1 == "Debian" && $2 == "main" {
			printf "deb [signed-by=%s] %s %s main non-free-firmware\n", keyring, $3, $4 }' | LC_ALL=C sort -u >"$state/sources.new"
	[ -s "$state/sources.new" ] || return 1
	if ! cmp -s "$state/sources.new" "$state/sources.list" || [ /var/lib/apt/lists -nt "$state/updated" ]; then
		mv "$state/sources.new" "$state/sources.list"
		note 'asking the mirror for firmware packages'
		# shellcheck disable=SC2086 # a list of words; errors of one suite are no reason to do without the others
		apt-get $apt_options -q update >"$state/update.log" 2>&1 || return 1
		touch "$state/updated"
	fi
}

# firmware_versions CACHE: `name version` of each package that can be had: by the mirror, or as a file in the cache.
firmware_versions() {
	local package version offered=''
	if [ -n "${apt_options-}" ]; then
		# shellcheck disable=SC2086 # lists of words
		offered=$(apt-cache $apt_options show --no-all-versions $firmware_packages 2>/dev/null |
			awk '$1 == "Package:" { package = $2 } $1 == "Version:" { print package, $2 }')
	fi
	for package in $firmware_packages; do
		version=$(echo "$offered" | sed -n "s/^$package //p" | head -n 1)
		[ -n "$version" ] || version=$(find "$1" -maxdepth 1 -name "${package}_*_all.deb" -printf '%f\n' | LC_ALL=C sort -V | tail -n 1 | cut -d _ -f 2)
		[ -z "$version" ] || echo "$package $version"
	done
}

# firmware_collect ROOT LIST DIR CACHE VERSIONS: the files into DIR, as below /lib/firmware; prints the names that nothing provides.
firmware_collect() {
	local unpacked="$1/firmware-packages" package version name
	mkdir -p "$unpacked/lib/firmware" "$3"
	echo "$5" | while read -r package version; do
		[ -z "$package" ] || dpkg -x "$(fetch_deb "$package" "$version" "$4" all)" "$unpacked"
	done
	wanted_modules "$2" "$1" | sed "s,^,$1/lib/modules/$release/," | xargs modinfo -F firmware | LC_ALL=C sort -u |
		while read -r name; do
			if [ -e "$unpacked/lib/firmware/$name" ]; then
				install -D -m 0644 "$unpacked/lib/firmware/$name" "$3/$name"
			else
				echo "$name"
			fi
		done
}
