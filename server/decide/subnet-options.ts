import { broadcastOf, formatCidr, netmask } from '../domain/ipv4.js';
import type { Subnet } from '../domain/site.js';
import { setOption } from '../wire/dhcp/options.js';

/** Code -> bytes, in the order in which they go out. */
export type EncodedOptions = ReadonlyMap<number, Uint8Array>;

/** What every machine of a subnet gets, as bytes; the host name goes between `network` and `rest`. */
export interface SubnetOptions {
  /** Only with an address: T1 and T2 by RFC 2131, section 4.4.5. */
  readonly lease: EncodedOptions;
  readonly network: EncodedOptions;
  readonly rest: EncodedOptions;
}

function leaseOptions(seconds: number): EncodedOptions {
  const lease = new Map<number, Uint8Array>();
  setOption(lease, 'leaseTime', seconds);
  setOption(lease, 'renewalTime', Math.floor(seconds / 2));
  setOption(lease, 'rebindingTime', Math.floor((seconds * 7) / 8));
  return lease;
}

/** Nearly all short leases are as long as each other. */
let lastShort: { readonly seconds: number; readonly options: EncodedOptions } | undefined;

/** Of a lease that lasts another time than the subnet's. */
export function shortLease(seconds: number): EncodedOptions {
  if (lastShort?.seconds !== seconds) lastShort = { seconds, options: leaseOptions(seconds) };
  return lastShort.options;
}

/** A subnet is never changed: another configuration makes new ones, and their options are made anew. */
const made = new WeakMap<Subnet, SubnetOptions>();
const texts = new WeakMap<Subnet, string>();

/** All of it, asked for or not: old ROMs leave things out of their list (option 55) and then fail without them. */
export function subnetOptions(subnet: Subnet): SubnetOptions {
  const before = made.get(subnet);
  if (before !== undefined) return before;
  const { cidr, router, dns, domain, leaseSeconds } = subnet;
  const network = new Map<number, Uint8Array>();
  setOption(network, 'subnetMask', netmask(cidr.prefix));
  if (router !== undefined) setOption(network, 'routers', [router]);
  if (dns.length > 0) setOption(network, 'dnsServers', dns);
  const rest = new Map<number, Uint8Array>();
  if (domain !== undefined) setOption(rest, 'domainName', domain);
  setOption(rest, 'broadcastAddress', broadcastOf(cidr));
  const options = { lease: leaseOptions(leaseSeconds), network, rest };
  made.set(subnet, options);
  return options;
}

/** `10.77.0.0/24`. */
export function cidrText(subnet: Subnet): string {
  let text = texts.get(subnet);
  if (text === undefined) {
    text = formatCidr(subnet.cidr);
    texts.set(subnet, text);
  }
  return text;
}
