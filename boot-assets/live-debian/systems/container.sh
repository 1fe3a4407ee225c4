# shellcheck shell=dash
# Systems of kind container: systemd-nspawn around their root: namespaces of their own, few rights, no devices.

# container_launch NAME: nspawn stays outside as the supervisor; its stub is process 1 inside and reaps what the command leaves.
container_launch() {
	local name=$1 argument
	kv_all "$definition" arg >"$folder/arguments"
	kv_all "$definition" env >"$folder/environment"
	set -- --
	while IFS= read -r argument; do set -- "$@" "$argument"; done <"$folder/arguments"
	while IFS= read -r argument; do set -- "--setenv=$argument" "$@"; done <"$folder/environment"
	if [ -e "/run/netns/anybios-$name" ]; then set -- "--network-namespace-path=/run/netns/anybios-$name" "$@"; fi
	: >"$folder/entered"
	exec systemd-nspawn --quiet --settings=no --register=no --keep-unit --directory="/systems/$name" --machine="$name" \
		--link-journal=no --resolv-conf=off --timezone=off --as-pid2 --kill-signal=SIGTERM --console=pipe "$@"
}
