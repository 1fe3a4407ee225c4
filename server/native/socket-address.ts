import { isIPv4, isIPv6 } from 'node:net';
import { invalid } from '../domain/errors.js';

// struct sockaddr_in  (16 bytes): family u16 of this computer's order, port u16 big-endian, address 4, zero 8.
// struct sockaddr_in6 (28 bytes): family, port, flow 4, address 16, scope u32 of this computer's order.
export const AF_INET = 2;
export const AF_INET6 = 10;
const IN_BYTES = 16;
const IN6_BYTES = 28;

/** As a `struct sockaddr_in` or `sockaddr_in6`. `scope` is the number of the interface for `fe80::1%eth0`. Throws `invalid`. */
export function encodeSocketAddress(address: string, port: number, scope: (name: string) => number): Uint8Array {
  const [host = '', zone] = address.split('%');
  if (isIPv4(address)) {
    const bytes = new Uint8Array(IN_BYTES);
    bytes[0] = AF_INET;
    bytes[2] = port >>> 8;
    bytes[3] = port;
    bytes.set(host.split('.').map(Number), 4);
    return bytes;
  }
  if (!isIPv6(host)) throw invalid(`"${address}" is not an IP address`);
  const bytes = new Uint8Array(IN6_BYTES);
  bytes[0] = AF_INET6;
  bytes[2] = port >>> 8;
  bytes[3] = port;
  groupsOf(host).forEach((group, index) => {
    bytes[8 + index * 2] = group >>> 8;
    bytes[9 + index * 2] = group;
  });
  if (zone !== undefined) new DataView(bytes.buffer).setUint32(24, scope(zone), true);
  return bytes;
}

/** Undefined = of a family that is not IP. A scope comes out as its number. */
export function decodeSocketAddress(
  bytes: Uint8Array,
): { readonly address: string; readonly port: number } | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const family = view.getUint16(0, true);
  const port = view.getUint16(2);
  if (family === AF_INET) return { address: bytes.subarray(4, 8).join('.'), port };
  if (family !== AF_INET6) return undefined;
  const groups = Array.from({ length: 8 }, (_, index) => view.getUint16(8 + index * 2).toString(16));
  const scope = view.getUint32(24, true);
  return { address: shorten(groups) + (scope === 0 ? '' : `%${scope}`), port };
}

/** The longest run of zeros becomes `::`, as everybody writes it (RFC 5952). */
function shorten(groups: readonly string[]): string {
  const text = groups.join(':');
  const runs = text.match(/(?:^|:)0(?::0)+(?=:|$)/g) ?? [];
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), '');
  return longest === '' ? text : text.replace(longest, '::').replace(/:{3,}/, '::');
}

function groupsOf(host: string): number[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(host);
  const plain =
    dotted === null
      ? host
      : `${dotted[1]}${(Number(dotted[2]) * 256 + Number(dotted[3])).toString(16)}:${(Number(dotted[4]) * 256 + Number(dotted[5])).toString(16)}`;
  const [head = '', tail] = plain.split('::');
  const read = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16));
  const first = read(head);
  if (tail === undefined) return first;
  const last = read(tail);
  return [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last];
}
