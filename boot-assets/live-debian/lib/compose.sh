# shellcheck shell=dash
# From the definition of a system to everything that its start needs. Runs again from the beginning after a failure.

image_progress() { # BYTES TOTAL
	say "system $name: $image_name $(mib "$1") of $(mib "$2")"
	report systems fetching system "$name" file "$image_name" bytes "$1" total "$2" || true # progress is worth no waiting
}

# fetch_part KEY: an image of the definition into RAM, if it names one. Two systems of one image fetch it once.
fetch_part() {
	local digest result=0
	digest=$(kv_get "$definition" "$1-sha256")
	[ -n "$digest" ] || return 0
	image_name=$(kv_get "$definition" "$1")
	image_name=${image_name##*/}
	exec 8>"$anybios_run/images.lock"
	flock 8
	image_fetch "$(kv_get "$definition" "$1")" "$digest" "$(kv_get "$definition" "$1-size")" image_progress || result=1
	exec 8>&-
	return $result
}

# lowers: the read-only layers of its root, the uppermost first, as overlayfs takes them.
lowers() {
	local part digest place list=''
	for part in layer image; do
		digest=$(kv_get "$definition" "$part-sha256")
		[ -n "$digest" ] || continue
		place=$(image_mount "$digest") || {
			reason="its $part does not mount: not a squashfs?"
			return 1
		}
		list="$list:$place"
	done
	lower_list=${list#:}
}

# compose_root: template, layers and rendered files at /systems/NAME.
compose_root() {
	local upper="$folder/layer/upper"
	if is_mounted "/systems/$name"; then return 0; fi
	exec 8>"$anybios_run/images.lock"
	flock 8 # two systems of one template mount it once
	lowers || return 1
	exec 8>&-
	storage_layer "$definition" || return 1
	mkdir -p "$upper"
	layer_fill "$folder/files.tar" "$upper" || return 1
	layer_default "$upper" etc/resolv.conf "$(compose_resolv)"
	layer_default "$upper" etc/hostname "$(compose_hostname)"
	layer_default "$upper" etc/hosts "127.0.0.1 localhost
127.0.1.1 $(compose_hostname)"
	mkdir -p "$upper/proc" "$upper/sys" "$upper/dev"
	# nspawn takes nothing without /usr for a system; an image of one program has none.
	[ "$kind" != container ] || mkdir -p "$upper/usr" "$upper/run" "$upper/tmp"
	overlay "$lower_list" "$folder/layer" "/systems/$name"
}

# compose_hostname: a system with the machine's network has its name too.
compose_hostname() {
	if [ "$network" = host ]; then hostname; else echo "$name"; fi
}

compose_resolv() {
	local server
	if [ "$network" = host ]; then
		cat /etc/resolv.conf
	else
		for server in $(kv_all "$definition" dns); do echo "nameserver $server"; done
	fi
}

# compose_network: the card of a system that does not have the machine's.
compose_network() {
	local over mac gateway
	mac=$(kv_get "$definition" mac)
	rm -f "$folder/nat"
	case $network in
	host) return 0 ;;
	bridge)
		exec 8>"$anybios_run/bridge.lock"
		flock 8
		bridge_up || return 1
		over=$bridge
		;;
	nat)
		gateway=$(kv_get "$definition" gateway)
		put "$folder/nat" "$(nat_ports "$definition")"
		exec 8>"$anybios_run/bridge.lock"
		flock 8
		nat_up "$gateway/16" || return 1
		over=$nat_bridge
		;;
	*)
		reason="this live OS has no network $network"
		return 1
		;;
	esac
	exec 8>&-
	if [ "$kind" = vm ]; then net_tap "$name" "$mac" "$over"; else net_namespace "$name" "$mac" "$over"; fi
}

# compose: `reason` says why not; `unreachable` is set when only the server is away.
compose() {
	local part
	unreachable=''
	if ! agent GET "systems/$name" "$definition" || ! agent GET "systems/$name/files.tar" "$folder/files.tar"; then
		reason="definition: $http_error"
		refused || unreachable=1
		return 1
	fi
	kind=$(kv_get "$definition" kind)
	network=$(kv_get "$definition" network host)
	[ -r "/lib/anybios/systems/$kind.sh" ] || {
		reason="this live OS cannot run systems of kind $kind"
		return 1
	}
	for part in image layer disk vmlinuz initrd modules; do fetch_part "$part" || return 1; done
	if [ "$kind" = vm ]; then
		vm_compose || return 1
	else
		compose_root || return 1
	fi
	compose_network
}
