import { contains, formatIpv4 } from '../domain/ipv4.js';
import type { Lease } from '../domain/lease.js';
import type { Subnet } from '../domain/site.js';

// Leases in the files of other DHCP servers, so that a site can move to them (or back) without a machine noticing.

export const LEASE_FORMATS = ['dnsmasq', 'kea'] as const;
export type LeaseFormat = (typeof LEASE_FORMATS)[number];

/** The file, by address. `now`: epoch seconds; leases that have ended are left out, as both programs would. */
export function exportLeases(
  format: LeaseFormat,
  leases: Iterable<Lease>,
  subnets: readonly Subnet[],
  now: number,
): string {
  const live = Array.from(leases)
    .filter(({ state, expiresAt }) => state !== 'released' && expiresAt > now)
    .sort((a, b) => a.address - b.address);
  return format === 'dnsmasq' ? dnsmasq(live) : kea(live, subnets);
}

/** `EXPIRY MAC ADDRESS NAME CLIENT-ID`, `*` for what is not known (dnsmasq's lease-init). It keeps no declined addresses. */
function dnsmasq(leases: readonly Lease[]): string {
  return leases
    .filter(({ state }) => state === 'active')
    .map(({ address, mac, hostname = '*', clientId, expiresAt }) => {
      const id = clientId === undefined || clientId === '' ? '*' : colons(clientId);
      return `${expiresAt} ${mac} ${formatIpv4(address)} ${hostname} ${id}\n`;
    })
    .join('');
}

const KEA_HEADER =
  'address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context';
const KEA_STATES: Readonly<Record<Lease['state'], number>> = { active: 0, declined: 1, released: 2 };

/** Kea's memfile (version 2.1 of its schema, Kea 2.2). Subnet ids count the subnets of our configuration from 1. */
function kea(leases: readonly Lease[], subnets: readonly Subnet[]): string {
  const lines = leases.map(({ address, mac, clientId, hostname, state, startedAt, expiresAt }) => {
    const index = subnets.findIndex(({ cidr }) => contains(cidr, address));
    const lifetime = subnets[index]?.leaseSeconds ?? Math.max(1, expiresAt - startedAt);
    // A declined address belongs to nobody.
    const owner = state === 'declined' ? ['', ''] : [mac, colons(clientId ?? '')];
    return [
      formatIpv4(address),
      ...owner,
      lifetime,
      expiresAt,
      index + 1,
      0,
      0,
      (hostname ?? '').toLowerCase(),
      KEA_STATES[state],
      '',
    ].join(',');
  });
  return `${[KEA_HEADER, ...lines].join('\n')}\n`;
}

const colons = (hex: string): string => hex.replace(/(..)(?=.)/g, '$1:');
