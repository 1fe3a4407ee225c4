import { hexOf } from '../../domain/hex.js';
import { formatIpv4, type Ipv4, ipv4FromOctets } from '../../domain/ipv4.js';
import { TextMemo } from '../../domain/text-memo.js';
import { WireError } from '../wire-error.js';
import { readDomains, writeDomains } from './domains.js';
import { formatRoute, type Route, readRoutes, writeRoutes } from './routes.js';
import { printSubOptions, readSubOptions, SUB_OPTIONS_END, type SubOptions, writeSubOptions } from './sub-options.js';

/** RFC 2132, section 9.6. */
export const MESSAGE_TYPES = ['discover', 'offer', 'request', 'decline', 'ack', 'nak', 'release', 'inform'] as const;
const MESSAGE_TYPE_BYTES = MESSAGE_TYPES.map((_, index) => Uint8Array.of(index + 1));
export type MessageType = (typeof MESSAGE_TYPES)[number];

/** What the value of an option looks like in code, by kind. */
export interface KindValues {
  u8: number;
  u16: number;
  u32: number;
  /** Signed: seconds east of UTC. */
  i32: number;
  bool: boolean;
  u8s: readonly number[];
  u16s: readonly number[];
  ipv4: Ipv4;
  ipv4s: readonly Ipv4[];
  text: string;
  /** Networks and the routers to them (RFC 3442). */
  routes: readonly Route[];
  /** DNS names to search in (RFC 3397). */
  domains: readonly string[];
  bytes: Uint8Array;
  messageType: MessageType;
  /** Type-length-value inside the option: 82, 175. */
  subOptions: SubOptions;
  /** The same, closed by an END: 43. Old PXE ROMs read on without it. */
  closedSubOptions: SubOptions;
}
export type OptionKind = keyof KindValues;

interface KindCodec<T> {
  /** Throws WireError when the bytes are not of this kind. */
  read(bytes: Uint8Array, field: string): T;
  write(value: T, field: string): Uint8Array;
  print(value: T): string;
}

type KindTable = { readonly [K in OptionKind]: KindCodec<KindValues[K]> };

const decoder = new TextDecoder();
const encoder = new TextEncoder();

export const hex = (bytes: Uint8Array): string => LAST_HEX.of(bytes);

const LAST_HEX = new TextMemo(256, (bytes) => hexOf(bytes));

/** Control characters become escapes, so that a dump or an event keeps to one line. */
export const quote = (text: string): string => JSON.stringify(text);

const KINDS: KindTable = {
  u8: unsigned(1),
  u16: unsigned(2),
  u32: unsigned(4),
  i32: {
    read: (bytes, field) => KINDS.u32.read(bytes, field) | 0,
    write: (value, field) => {
      if (value < -(2 ** 31) || value >= 2 ** 31) throw new WireError(field, `${value} does not fit into 32 bits`);
      return KINDS.u32.write(value < 0 ? value + 2 ** 32 : value, field);
    },
    print: String,
  },
  bool: {
    read: (bytes, field) => KINDS.u8.read(bytes, field) !== 0,
    write: (value) => Uint8Array.of(value ? 1 : 0),
    print: String,
  },
  u8s: {
    read: (bytes) => Array.from(bytes),
    write: (values, field) => join(values.map((value) => KINDS.u8.write(value, field))),
    print: (values) => values.join(' '),
  },
  u16s: {
    read: (bytes, field) => {
      if (bytes.length === 0 || bytes.length % 2 !== 0) throw wrongMultiple(bytes, 2, field);
      const values: number[] = [];
      for (let i = 0; i < bytes.length; i += 2) values.push((bytes[i] ?? 0) * 256 + (bytes[i + 1] ?? 0));
      return values;
    },
    write: (values, field) => join(values.map((value) => KINDS.u16.write(value, field))),
    print: (values) => values.join(' '),
  },
  ipv4: {
    read: (bytes, field) => ipv4FromOctets(exactly(bytes, 4, field)),
    write: (value, field) => KINDS.u32.write(value, field),
    print: formatIpv4,
  },
  ipv4s: {
    read: (bytes, field) => split(bytes, 4, field).map(ipv4FromOctets),
    write: (values, field) => join(values.map((value) => KINDS.u32.write(value, field))),
    print: (values) => values.map(formatIpv4).join(' '),
  },
  text: {
    // Some clients count a closing NUL into the length (RFC 2132, section 2, tells servers to expect it).
    read: (bytes) => LAST_TEXTS.of(bytes),
    write: bytesOf,
    print: quote,
  },
  routes: { read: readRoutes, write: writeRoutes, print: (routes) => routes.map(formatRoute).join(', ') },
  domains: { read: readDomains, write: writeDomains, print: (names) => names.join(' ') },
  bytes: { read: (bytes) => bytes, write: (value) => value, print: hex },
  messageType: {
    read: (bytes, field) => {
      const code = KINDS.u8.read(bytes, field);
      const word = MESSAGE_TYPES[code - 1];
      if (word === undefined) throw new WireError(field, `${code} is not a message type`);
      return word;
    },
    write: (value) => MESSAGE_TYPE_BYTES[MESSAGE_TYPES.indexOf(value)] ?? Uint8Array.of(0),
    print: (value) => value,
  },
  subOptions: { read: readSubOptions, write: writeSubOptions, print: printSubOptions },
  closedSubOptions: {
    read: readSubOptions,
    write: (value, field) => Uint8Array.of(...writeSubOptions(value, field), SUB_OPTIONS_END),
    print: printSubOptions,
  },
};

export function readKind<K extends OptionKind>(kind: K, bytes: Uint8Array, field: string): KindValues[K] {
  return KINDS[kind].read(bytes, field);
}

export function writeKind<K extends OptionKind>(kind: K, value: KindValues[K], field: string): Uint8Array {
  return KINDS[kind].write(value, field);
}

/** The value as a person reads it; throws WireError like readKind. */
export function printKind<K extends OptionKind>(kind: K, bytes: Uint8Array, field: string): string {
  const codec: KindCodec<KindValues[K]> = KINDS[kind];
  return codec.print(codec.read(bytes, field));
}

function unsigned(size: 1 | 2 | 4): KindCodec<number> {
  const largest = 2 ** (8 * size) - 1;
  return {
    read: (bytes, field) => {
      exactly(bytes, size, field);
      let sum = 0;
      for (let i = 0; i < size; i++) sum = sum * 256 + (bytes[i] ?? 0);
      return sum;
    },
    write: (value, field) => {
      if (!Number.isInteger(value) || value < 0 || value > largest) {
        throw new WireError(field, `${value} is not a whole number from 0 to ${largest}`);
      }
      const bytes = new Uint8Array(size);
      for (let i = 0; i < size; i++) bytes[i] = value >>> (8 * (size - 1 - i));
      return bytes;
    },
    print: String,
  };
}

/** Names of files and servers are the same for all machines of a storm. */
const LAST_WRITTEN = new Map<string, Uint8Array>();
const MOST_WRITTEN = 64;

/** Not to be changed: others get the same. */
function bytesOf(text: string): Uint8Array {
  const before = LAST_WRITTEN.get(text);
  if (before !== undefined) return before;
  const bytes = encoder.encode(text);
  if (LAST_WRITTEN.size >= MOST_WRITTEN) LAST_WRITTEN.clear();
  LAST_WRITTEN.set(text, bytes);
  return bytes;
}

/** Vendor classes and names of hosts. */
const LAST_TEXTS = new TextMemo(256, textOf);

/** Up to a closing NUL. Nearly all text is ASCII, for which the decoder costs more than it is worth. */
function textOf(bytes: Uint8Array): string {
  let length = 0;
  for (let byte = bytes[0]; byte !== undefined && byte !== 0; byte = bytes[++length]) {
    if (byte > 0x7f) return decodeUtf8(bytes);
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('latin1');
}

function decodeUtf8(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

function exactly(bytes: Uint8Array, size: number, field: string): Uint8Array {
  if (bytes.length !== size) throw new WireError(field, `is ${bytes.length} bytes long instead of ${size}`);
  return bytes;
}

function split(bytes: Uint8Array, size: number, field: string): Uint8Array[] {
  if (bytes.length === 0 || bytes.length % size !== 0) {
    throw wrongMultiple(bytes, size, field);
  }
  return Array.from({ length: bytes.length / size }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
}

function wrongMultiple(bytes: Uint8Array, size: number, field: string): WireError {
  return new WireError(field, `is ${bytes.length} bytes long instead of a multiple of ${size}`);
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
