import { invalid } from '../domain/errors.js';
import { type Ipv4, parseIpv4 } from '../domain/ipv4.js';
import { type Mac, macToBytes, parseMac } from '../domain/mac.js';

// Values of the desired state as people write them.

const UNITS = [
  ['G', 2 ** 30],
  ['M', 2 ** 20],
  ['K', 2 ** 10],
] as const;
const MEMORY_MIN = 2 ** 20;
const MEMORY_MAX = 2 ** 46;
const MEMORY = 'a number with K, M or G (powers of 1024), e.g. 128M, 1G; at least 1M';

/** Reads `128M`, `1G`, `65536K` or plain bytes into bytes. Throws `invalid`. */
export function parseMemory(text: string): number {
  const match = /^(\d{1,15})([KMG]?)$/.exec(text);
  const unit = UNITS.find(([letter]) => letter === match?.[2])?.[1] ?? 1;
  const bytes = match === null ? Number.NaN : Number(match[1]) * unit;
  if (bytes >= MEMORY_MIN && bytes <= MEMORY_MAX) return bytes;
  throw invalid(`"${text}" is not a size of memory that fits`, { remedy: MEMORY });
}

/** The shortest exact form: `128M`, `1G`, or bytes when no unit divides them. */
export function formatMemory(bytes: number): string {
  const unit = UNITS.find(([, size]) => bytes % size === 0);
  return unit === undefined ? String(bytes) : `${bytes / unit[1]}${unit[0]}`;
}

/** A MAC that one NIC can have: not broadcast, multicast or zero. Throws `invalid`. */
export function parseNicMac(text: string): Mac {
  const mac = parseMac(text);
  const [first = 0] = macToBytes(mac);
  // The lowest bit of the first byte marks a group address (IEEE 802).
  if ((first & 1) === 1 || mac === '00:00:00:00:00:00') {
    throw invalid(`${mac} is not the address of one network card`, { remedy: 'a MAC whose second digit is even' });
  }
  return mac;
}

/** An address a machine can have. Throws `invalid`. */
export function parseMachineAddress(text: string): Ipv4 {
  const address = parseIpv4(text);
  const first = address >>> 24;
  // 0/8, loopback, and everything from multicast up (RFC 6890).
  if (first === 0 || first === 127 || first >= 224) {
    throw invalid(`${text} cannot be the address of a machine`, { remedy: 'a unicast IPv4 address, e.g. 10.77.0.11' });
  }
  return address;
}

/**
 * An absolute path inside a system. No `..`, `.`, empty part or control character; and it must fit a ustar header (155 + 100 bytes,
 * split at a slash), because that is how busybox gets it. Throws `invalid`.
 */
export function parseSystemPath(text: string): string {
  const parts = text.split('/');
  const clean = parts.slice(1).every((part) => part !== '' && part !== '.' && part !== '..');
  if (parts[0] !== '' || parts.length < 2 || !clean || hasControl(text)) {
    throw invalid(`${JSON.stringify(text)} is not a path inside the system`, {
      remedy: 'an absolute path without .., . or empty parts, e.g. /etc/motd',
    });
  }
  if (!fitsUstar(text.slice(1))) {
    throw invalid('the path is too long', { remedy: 'at most 100 bytes after a slash within the first 155' });
  }
  return text;
}

function fitsUstar(path: string): boolean {
  const bytes = Buffer.from(path);
  if (bytes.length <= 100) return true;
  const slash = bytes.subarray(0, 156).lastIndexOf(0x2f);
  return slash > 0 && bytes.length - slash - 1 <= 100;
}

/** Newlines above all: the machine protocol and the kernel command line are line based. */
export function hasControl(text: string): boolean {
  for (const char of text) if (char < ' ' || char === '\x7f') return true;
  return false;
}
