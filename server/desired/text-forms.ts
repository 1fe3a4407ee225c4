import { invalid } from '../domain/errors.js';
import { type Ipv4, parseIpv4 } from '../domain/ipv4.js';
import { type Mac, macToBytes, parseMac } from '../domain/mac.js';
import type { PortForward } from '../domain/system.js';

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

/** Label of a partition: ext4 keeps 16 bytes of it. */
export const DISK_LABEL = /^[A-Za-z0-9][A-Za-z0-9._-]{0,15}$/;
export const DISK_LABEL_RULE = 'letters, digits, ., _ and -, at most 16';

/** A device node that names one disk or partition. Throws `invalid`. */
export function parseDevice(text: string): string {
  const parts = text.split('/').slice(1);
  const clean = parts.every((part) => /^[A-Za-z0-9:+=@#,._-]+$/.test(part) && part !== '..' && part !== '.');
  if (text.startsWith('/dev/') && clean && text.length <= 255) return text;
  throw invalid(`${JSON.stringify(text)} is not a device`, { remedy: 'a path below /dev, e.g. /dev/disk/by-id/…' });
}

/** A path relative to the root of a partition. Throws `invalid`. */
export function parseStoragePath(text: string): string {
  const parts = text.split('/');
  if (text.length <= 200 && parts.every((part) => /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(part))) return text;
  throw invalid(`${JSON.stringify(text)} is not a path on a partition`, {
    remedy: 'relative, of letters, digits, ., _ and -, each part starting with a letter or digit: systems/web',
  });
}

/** `8080:80` or `5353:53/udp`: port of the machine, port of the system. Throws `invalid`. */
export function parsePort(text: string): PortForward {
  const match = /^(\d{1,5}):(\d{1,5})(?:\/(tcp|udp))?$/.exec(text);
  const [from, to] = [Number(match?.[1]), Number(match?.[2])];
  const fits = (port: number): boolean => port >= 1 && port <= 65_535;
  if (fits(from) && fits(to)) return { protocol: match?.[3] === 'udp' ? 'udp' : 'tcp', from, to };
  throw invalid(`"${text}" is not a forwarded port`, {
    remedy: 'PORT-OF-MACHINE:PORT-OF-SYSTEM, e.g. 8080:80, 5353:53/udp',
  });
}

export function formatPort({ protocol, from, to }: PortForward): string {
  return `${from}:${to}${protocol === 'udp' ? '/udp' : ''}`;
}

/** `5`, `5s`, `2m` as whole seconds from 1 to an hour. Throws `invalid`. */
export function parseSeconds(text: string): number {
  const match = /^(\d{1,4})([sm]?)$/.exec(text);
  const seconds = Number(match?.[1]) * (match?.[2] === 'm' ? 60 : 1);
  if (seconds >= 1 && seconds <= 3600) return seconds;
  throw invalid(`"${text}" is not a time that fits`, { remedy: 'whole seconds or minutes from 1s to 60m, e.g. 5s' });
}
