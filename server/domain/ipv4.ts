import { invalid } from './errors.js';

/** An IPv4 address as an unsigned 32-bit number: cheap as a Map key, ordered, O(1) arithmetic in pools. */
export type Ipv4 = number & { readonly __brand: 'Ipv4' };

export const UNSPECIFIED = 0 as Ipv4;

const OCTET = '(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const DOTTED = new RegExp(`^${OCTET}\\.${OCTET}\\.${OCTET}\\.${OCTET}$`);

/** Reads dotted decimal; leading zeros are refused (they mean octal to some programs). Throws `invalid`. */
export function parseIpv4(text: string, field = 'address'): Ipv4 {
  const match = DOTTED.exec(text.trim());
  if (match === null) {
    throw invalid(`"${text}" is not an IPv4 address`, { field, remedy: 'write four numbers 0-255, e.g. 10.77.0.11' });
  }
  return ipv4FromOctets(match.slice(1, 5).map(Number));
}

export function formatIpv4(address: Ipv4): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

export function ipv4FromOctets(octets: ArrayLike<number>): Ipv4 {
  return ((((octets[0] ?? 0) << 24) | ((octets[1] ?? 0) << 16) | ((octets[2] ?? 0) << 8) | (octets[3] ?? 0)) >>>
    0) as Ipv4;
}

export interface Cidr {
  /** The network address (host bits zero). */
  readonly network: Ipv4;
  /** Prefix length, 0 to 32. */
  readonly prefix: number;
}

/** Reads `10.77.0.0/24`. Host bits must be zero. Throws `invalid`. */
export function parseCidr(text: string, field = 'cidr'): Cidr {
  const [head = '', tail = '', ...rest] = text.trim().split('/');
  if (rest.length > 0 || !/^\d{1,2}$/.test(tail) || Number(tail) > 32) {
    throw invalid(`"${text}" is not a network`, { field, remedy: 'write ADDRESS/PREFIX, e.g. 10.77.0.0/24' });
  }
  const address = parseIpv4(head, field);
  const prefix = Number(tail);
  const network = ((address & netmask(prefix)) >>> 0) as Ipv4;
  if (network !== address) {
    throw invalid(`"${text}" has host bits set`, { field, remedy: `write ${formatIpv4(network)}/${prefix}` });
  }
  return { network, prefix };
}

export function netmask(prefix: number): Ipv4 {
  return (prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0) as Ipv4;
}

export function broadcastOf(cidr: Cidr): Ipv4 {
  return ((cidr.network | ~netmask(cidr.prefix)) >>> 0) as Ipv4;
}

export function contains(cidr: Cidr, address: Ipv4): boolean {
  return (address & netmask(cidr.prefix)) >>> 0 === cidr.network;
}

export function formatCidr(cidr: Cidr): string {
  return `${formatIpv4(cidr.network)}/${cidr.prefix}`;
}

/** An inclusive range of addresses: `10.77.0.100-10.77.0.200`. */
export interface AddressRange {
  readonly first: Ipv4;
  readonly last: Ipv4;
}

export function parseRange(text: string, field = 'pool'): AddressRange {
  const [a = '', b = '', ...rest] = text.split('-');
  if (rest.length > 0 || b === '') {
    throw invalid(`"${text}" is not an address range`, {
      field,
      remedy: 'write FIRST-LAST, e.g. 10.77.0.100-10.77.0.200',
    });
  }
  const first = parseIpv4(a, field);
  const last = parseIpv4(b, field);
  if (first > last)
    throw invalid(`the range ${text} ends before it starts`, { field, remedy: 'write the lower address first' });
  return { first, last };
}
