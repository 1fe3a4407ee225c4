# shellcheck shell=dash
# Root file system of the Debian live OS `live`: Debian 12 by mmdebstrap, without what it does not use, and our own files.

# live_words FILE: its words, without comments.
live_words() {
	sed 's/#.*//' "$1"
}

# live_sources: APT's lines for Debian 12: from the mirrors of this machine if it is one, else from Debian's.
live_sources() {
	local keyring=/usr/share/keyrings/debian-archive-keyring.gpg own
	# shellcheck disable=SC2016 # the format is apt's
	own=$(apt-get indextargets --format '$(ORIGIN) $(COMPONENT) $(SITE) $(CODENAME)' 'Created-By: Packages' 2>/dev/null |
		awk -v keyring="$keyring" '$1 == "Debian" && $2 == "main" && $4 ~ /^bookworm/ {
			printf "deb [signed-by=%s] %s %s main\n", keyring, $3, $4 }' | LC_ALL=C sort -u)
	if [ -z "$own" ]; then
		own="deb [signed-by=$keyring] http://deb.debian.org/debian bookworm main
deb [signed-by=$keyring] http://deb.debian.org/debian bookworm-updates main
deb [signed-by=$keyring] http://deb.debian.org/debian-security bookworm-security main"
	fi
	printf '%s\n' "$own"
}

# live_version SOURCES CACHE: names one state of Debian: the versions of its packages that this machine knows of. Without package
# lists the newest tree in the cache is taken.
live_version() {
	local packages known file
	packages=$(live_words "$1/live-debian/packages" | tr -s ' \t\n' ' ')
	# shellcheck disable=SC2086 # a list of words
	known=$(apt-cache policy $packages libc6 2>/dev/null | grep -c 'Candidate: [0-9]') || true # grep -c of nothing is no failure here
	if [ "$known" = 0 ]; then
		file=$(find "$2" -maxdepth 1 -name 'live-debian-*.tar.zst' -printf '%T@ %f\n' 2>/dev/null | sort -rn | head -n 1)
		[ -n "$file" ] || die "no package lists: apt-get update"
		file=${file##*live-debian-}
		printf '%s\n' "${file%.tar.zst}"
		return 0
	fi
	# shellcheck disable=SC2086
	{
		apt-cache policy $packages libc6 | grep -v '^ *Installed:' | grep -E '^[a-z]|Candidate'
		echo "$packages"
	} | sha256sum | cut -c 1-12
}

# live_tree SOURCES CACHE VERSION: prints the archive of Debian's tree in the cache, made when it is not there (half a minute).
live_tree() {
	local archive="$2/live-debian-$3.tar.zst" packages
	if [ ! -s "$archive" ]; then
		note 'fetching the packages of the live OS'
		packages=$(live_words "$1/live-debian/packages" | tr -s ' \t\n' ',' | sed 's/^,//; s/,$//')
		live_sources >"$2/live-sources.list"
		# The essential packages of Debian and these, no APT inside.
		mmdebstrap --quiet --mode=root --variant=essential --format=tar --include="$packages" \
			--aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Retries "3"' \
			--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
			bookworm - "$2/live-sources.list" >"$archive.tar" 2>"$2/live.log" || die "mmdebstrap failed: $(tail -n 3 "$2/live.log" | tr '\n' ' ')"
		zstd -q -3 -T0 --rm -f "$archive.tar" -o "$archive.part" || die 'zstd failed'
		mv "$archive.part" "$archive"
	fi
	printf '%s\n' "$archive"
}

# live_make TREE FILE SOURCES ARCHIVE LEVEL: LEVEL of zstd, 1 to 19.
live_make() {
	local pattern applet unit
	mkdir -p "$1"
	tar --zstd -xf "$4" -C "$1" --exclude='./dev/*' || die 'the tree of the live OS does not unpack: remove it from the cache'
	for pattern in $(set -f && live_words "$3/live-debian/leave-out"); do
		# shellcheck disable=SC2086 # shell patterns
		(cd "$1" && rm -rf $pattern)
	done
	: >"$1/etc/machine-id" # its own at every boot
	rm -rf "${1:?}/boot" "$1/lib/modules"
	mkdir -p "$1/lib/anybios/systems" "$1/lib/anybios/applets" "$1/lib/modules" "$1/systems" "$1/var/log" "$1/var/cache"
	# What Debian has not, busybox has: a link for each of its programs that is missing, found last.
	"$1/bin/busybox" --list | while read -r applet; do
		[ -e "$1/usr/bin/$applet" ] || [ -e "$1/usr/sbin/$applet" ] || ln -s /bin/busybox "$1/lib/anybios/applets/$applet"
	done
	install -m 0644 "$3"/initramfs/lib/*.sh "$3"/live/lib/*.sh "$1/lib/anybios/"
	# One after the other: backend.sh of this live OS takes the place of the other's.
	install -m 0644 "$3"/live-debian/lib/*.sh "$1/lib/anybios/"
	install -m 0755 "$3/initramfs/dhcp-script" "$3/live/systems/chroot-enter" "$3/live/break-systems" "$1/lib/anybios/"
	# The way in for jobs, the same on every live OS.
	install -m 0755 "$3/live/control" "$3/live/control-door" "$3/live/run-job" "$3/live/run-command" "$3/live/keep-log" "$3/live/lease-guard" \
		"$1/lib/anybios/"
	install -m 0644 "$3"/live-debian/systems/* "$1/lib/anybios/systems/"
	find "$3/live-debian" -maxdepth 1 -type f ! -name packages ! -name leave-out -exec install -m 0755 -t "$1/lib/anybios" {} +
	(cd "$1/lib/anybios" && rm ip-arg.sh claim.sh discover.sh hand-over.sh vm.sh)
	install -m 0644 "$3"/live-debian/units/* "$1/usr/lib/systemd/system/"
	mkdir -p "$1/etc/systemd/system/multi-user.target.wants"
	for unit in anybios-start anybios-agent anybios-control anybios-lease; do
		ln -s "/usr/lib/systemd/system/$unit.service" "$1/etc/systemd/system/multi-user.target.wants/$unit.service"
	done
	ln -sf /usr/lib/systemd/system/multi-user.target "$1/etc/systemd/system/default.target"
	for unit in systemd-pstore.service systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-binfmt.service \
		dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount \
		e2scrub_reap.service e2scrub_all.timer fstrim.timer systemd-tmpfiles-clean.timer getty.target systemd-random-seed.service \
		systemd-machine-id-commit.service modprobe@.service systemd-user-sessions.service systemd-logind.service \
		systemd-journal-flush.service nftables.service dpkg-db-backup.timer dbus.service dbus.socket; do
		ln -sf /dev/null "$1/etc/systemd/system/$unit"
	done
	squash "$1" "$2" "$5"
}
