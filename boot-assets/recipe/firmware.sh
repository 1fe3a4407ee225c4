# shellcheck shell=dash
# Firmware that wired network cards ask for.

# firmware_collect ROOT LIST DIR CACHE
firmware_collect() {
	die 'not yet'
}
