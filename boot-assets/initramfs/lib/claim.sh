# shellcheck shell=dash
# The one-time nonce of the command line becomes a credential (docs/booting.md, "The machine protocol").

# secure_boot: on, off, or none (no UEFI). The variable is four bytes of attributes and one of value; UEFI without the
# variable cannot do it.
secure_boot() {
	local variable=/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c
	if [ ! -d /sys/firmware/efi ]; then
		echo none
		return 0
	fi
	modprobe -q efivarfs
	is_mounted /sys/firmware/efi/efivars || mount -t efivarfs -o ro efivarfs /sys/firmware/efi/efivars
	case $(dd if="$variable" bs=1 skip=4 count=1 2>/dev/null | od -An -tu1) in
	*1) echo on ;;
	*) echo off ;;
	esac
}

# dmi NAME: a field of the SMBIOS tables, lower-case for the UUID as everywhere else.
dmi() {
	local text=''
	[ ! -r "/sys/class/dmi/id/$1" ] || read -r text <"/sys/class/dmi/id/$1"
	[ "$1" != product_uuid ] || text=$(printf '%s' "$text" | tr 'A-F' 'a-f')
	printf '%s\n' "$text"
}

# memory_bytes FIELD: MemTotal or MemAvailable.
memory_bytes() {
	awk -v field="$1:" '$1 == field { printf "%.0f\n", $2 * 1024 }' /proc/meminfo
}

# claim_body NIC CLAIM_ID
claim_body() {
	kv session "$(getarg anybios.session)"
	kv nonce "$(getarg anybios.nonce)"
	kv claim-id "$2"
	kv mac "$(cat "/sys/class/net/$1/address")"
	kv_present uuid "$(dmi product_uuid)"
	kv_present serial "$(dmi product_serial)"
	kv secureboot "$(secure_boot 2>/dev/null)"
	kv_present choice "$(getarg anybios.choice)"
	kv kernel "$(uname -r)"
	kv memory-bytes "$(memory_bytes MemTotal)"
	kv uptime-ms "$(uptime_ms)"
}

# claim NIC: leaves the answer in $anybios_run/claim and the credential in $anybios_run/credential (0600). The claim-id
# stays the same over all tries: an answer that got lost is given again. `reason` says why not.
claim() {
	local id try=1 body="$anybios_run/claim-body" date
	id=$(cat /proc/sys/kernel/random/uuid)
	while :; do
		claim_body "$1" "$id" >"$body"
		agent POST claim "$anybios_run/claim" "$body" && break
		if refused || [ "$try" -ge "${claim_tries:-20}" ]; then
			rm -f "$body" "$anybios_run/claim"
			reason="claim: $http_error"
			return 1
		fi
		say "claim at $server: $http_error; next try in $(backoff $try) s"
		sleep "$(backoff $try)"
		try=$((try + 1))
	done
	rm -f "$body"
	# Without a clock (no RTC) certificates and logs are wrong: the server's Date is right enough.
	date=$(http_date "$anybios_run/claim.messages")
	[ -z "$date" ] || date -u -s "$date" >/dev/null
	umask 077
	kv_get "$anybios_run/claim" credential >"$anybios_run/credential"
	umask 022
	grep -v '^credential=' "$anybios_run/claim" >"$anybios_run/claim.rest"
	mv "$anybios_run/claim.rest" "$anybios_run/claim"
	if [ ! -s "$anybios_run/credential" ] || [ "$(cat "$anybios_run/credential")" = '' ]; then
		reason="claim: the server at $server answered without a credential"
		return 1
	fi
}
