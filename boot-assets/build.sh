#!/bin/sh
# shellcheck shell=dash
# Builds what machines boot: kernel image, live OS, template, boot loaders; from Debian packages, byte for byte the same each time.
#   build.sh [--flavour cloud|hardware] [--out DIR] [--cache DIR] [--level 1-19] [--force]
# --level: how hard the Debian live OS is compressed; 19 takes half a minute more than 6 and saves a tenth.
# Ends at once when nothing changed. Needs root (owners and modes of the file systems) and these packages installed:
packages='busybox-static dropbear-bin libc6 libcrypt1 libgmp10 libtomcrypt1 libtommath1 zlib1g squashfs-tools cpio zstd kmod mmdebstrap debian-archive-keyring ipxe shim-signed grub-efi-amd64-signed'
set -eu

sources=$(CDPATH='' cd "$(dirname "$0")" && pwd)
for part in log packages busybox-root kernel firmware rootfs live manifest; do
	# shellcheck source=/dev/null
	. "$sources/recipe/$part.sh"
done

flavour=cloud out='' cache=$sources/cache level=19 force=''
while [ $# -gt 0 ]; do
	case $1 in
	--flavour) flavour=${2:?} && shift ;;
	--out) out=${2:?} && shift ;;
	--cache) cache=${2:?} && shift ;;
	--level) level=${2:?} && shift ;;
	--force) force=1 ;;
	*) die "unknown option $1: build.sh [--flavour cloud|hardware] [--out DIR] [--cache DIR] [--level 1-19] [--force]" ;;
	esac
	shift
done
case $flavour in
cloud) meta=linux-image-cloud-amd64 out=${out:-$sources/out} initrd_limit=4 live_limit=130 ;;
hardware) meta=linux-image-amd64 out=${out:-$sources/out/hardware} initrd_limit=24 live_limit=220 ;;
*) die "unknown flavour $flavour: cloud (virtual machines) or hardware" ;;
esac
umask 022
mkdir -p "$out" "$cache"

# One build of a folder at a time; whoever waited finds the work done.
exec 8>"$out/.lock"
flock 8

# shellcheck disable=SC2086 # a list of words
versions=$(installed_versions $packages)
kernel=$(newest_kernel "$meta" "$cache")
firmware_debs=''
if [ "$flavour" = hardware ]; then
	firmware_sources "$cache" || note 'no mirror for firmware answers: taking what the cache has'
	firmware_debs=$(firmware_versions "$cache")
fi
debian=$(live_version "$sources" "$cache")
inputs=$({
	echo "$flavour $versions $kernel $firmware_debs $debian $level"
	cd "$sources" && find build.sh recipe initramfs live live-debian base -type f -exec sha256sum {} + | LC_ALL=C sort -k 2
} | sha256sum | cut -c 1-12)
if [ -z "$force" ] && [ "$(cat "$out/.inputs" 2>/dev/null)" = "$inputs" ] && [ -s "$out/manifest.json" ]; then
	note "up to date ($out)"
	exit 0
fi

started=$(date +%s)
work=$(mktemp -d "${TMPDIR:-/tmp}/anybios-assets.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
result=$work/result
mkdir -p "$result/kernel" "$result/bootloaders"
# Nothing of the caller's environment or machine may reach the result.
export LC_ALL=C TZ=UTC

note "building flavour $flavour from ${kernel% *} ${kernel#* }"
deb=$(fetch_deb "${kernel% *}" "${kernel#* }" "$cache")
kernel_unpack "$deb" "$work/kernel"
: >"$work/missing-firmware"
firmware=''
if [ "$flavour" = hardware ]; then
	firmware=$work/firmware
	firmware_collect "$work/kernel" "$sources/recipe/hardware.modules" "$firmware" "$cache" "$firmware_debs" >"$work/missing-firmware"
fi
install -m 0644 "$work/kernel/boot/vmlinuz-$release" "$result/kernel/vmlinuz"
initrd_make "$work/kernel" "$sources/recipe/$flavour.modules" "$result/kernel/initrd.img" "$sources" "$firmware"
modules_make "$work/kernel" "$result/kernel/modules.squashfs" "$firmware"
micro_make "$work/micro" "$result/micro.squashfs" "$sources"
base_make "$work/base" "$result/base.squashfs" "$sources"
tree=$(live_tree "$sources" "$cache" "$debian")
live_make "$work/live" "$result/live.squashfs" "$sources" "$tree" "$level"
# Boot loaders as the packages have them: signed ones must not be touched. shim asks for the name grubx64.efi beside itself.
install -m 0644 /usr/lib/ipxe/undionly.kpxe /usr/lib/ipxe/snponly.efi /usr/lib/ipxe/ipxe.efi "$result/bootloaders/"
install -m 0644 /usr/lib/shim/shimx64.efi.signed "$result/bootloaders/shimx64.efi"
install -m 0644 /usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed "$result/bootloaders/grubx64.efi"
# Firmware loads initrds slowly and machines have little RAM: growth is noticed here, in MiB.
at_most "$result/kernel/initrd.img" "$initrd_limit"
at_most "$result/micro.squashfs" 8
at_most "$result/base.squashfs" 2
at_most "$result/live.squashfs" 84
together_at_most "$live_limit" "live with its kernel" "$result/live.squashfs" "$result/kernel/vmlinuz" "$result/kernel/initrd.img" "$result/kernel/modules.squashfs"
manifest "$result" "$inputs" "$flavour" "${kernel#* }" "$release" "$work/missing-firmware" >"$result/manifest.json"

# Whole files replace old ones, the manifest last: a server that reads meanwhile sees old or new, never half.
rm -f "$out/.inputs"
mkdir -p "$out/kernel" "$out/bootloaders"
for file in $(cd "$result" && find . -type f ! -name manifest.json) ./manifest.json; do
	cp "$result/$file" "$out/$file.new"
	mv "$out/$file.new" "$out/$file"
done
echo "$inputs" >"$out/.inputs"
note "built in $(($(date +%s) - started)) s: initrd $(stat -c %s "$out/kernel/initrd.img"), modules $(stat -c %s "$out/kernel/modules.squashfs"), micro $(stat -c %s "$out/micro.squashfs"), base $(stat -c %s "$out/base.squashfs"), live $(stat -c %s "$out/live.squashfs") bytes"
