# shellcheck shell=dash
# Systems of kind chroot: a root file system, mounts and a process table of their own; kernel and network are the machine's.

# chroot_launch NAME: its own process table (-p) hides the live OS with its credential, and makes the end of the command the end of all.
chroot_launch() {
	exec unshare -m -p -f --kill-child --propagation private /lib/anybios/chroot-enter "$1"
}
