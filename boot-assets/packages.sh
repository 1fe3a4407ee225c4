# shellcheck shell=sh
# The Debian packages that anybios needs, each with what for. Read by setup.sh (and by the Dockerfile through it).

# At run time, to build the boot assets, and for the lab.
# shellcheck disable=SC2034 # used by the scripts that read this file
packages_run='
busybox-static
ca-certificates
cpio
debian-archive-keyring
dropbear-bin
grub-efi-amd64-signed
ipxe
ipxe-qemu
iproute2
kmod
mmdebstrap
openssh-client
ovmf
qemu-system-x86
seabios
shim-signed
squashfs-tools
xz-utils
zstd
'

# To compile the SQLite binding where npm finds no prebuilt one.
# shellcheck disable=SC2034
packages_compile='
g++
make
python3
'

# What the tests add: real clients, a registry and the programs that read images from it, a rival DHCP server, a browser, a packet capture, the checker of shell scripts.
# shellcheck disable=SC2034
packages_test='
atftp
chromium
curl
dhcpcd-base
dnsmasq-base
docker-compose
docker-registry
e2fsprogs
isc-dhcp-client
isc-dhcp-relay
kea-admin
kea-dhcp4-server
libcap2-bin
mount
nginx-light
nmap
openssh-server
shellcheck
skopeo
tcpdump
tftp-hpa
udhcpc
umoci
'

# What npm run bench adds: the servers beside which anybios is measured, and a load client. The TFTP daemons are not here: both
# want UDP 69 as soon as they are installed, so the bench unpacks them for itself.
# shellcheck disable=SC2034
packages_bench='
nginx-light
procps
wrk
'
