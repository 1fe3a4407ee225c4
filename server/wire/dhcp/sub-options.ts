import { WireError } from '../wire-error.js';
import { Writer } from '../writer.js';
import { cut } from './option-set.js';

/** Code -> bytes, in the order of the packet. */
export type SubOptions = ReadonlyMap<number, Uint8Array>;

/** An option can be longer than 255 bytes (RFC 3396), each sub-option cannot. */
const LARGEST = 0xffff;
const PAD = 0;
export const SUB_OPTIONS_END = 255;

/**
 * The type-length-value lists inside options 43 (RFC 2132, 8.4), 82 (RFC 3046) and 175 (iPXE). Code 0 is padding and code 255
 * ends the list, as PXE closes option 43.
 */
export function readSubOptions(bytes: Uint8Array, field: string): SubOptions {
  const found = new Map<number, Uint8Array>();
  let at = 0;
  while (at < bytes.length) {
    const code = bytes[at++] ?? 0;
    if (code === PAD) continue;
    if (code === SUB_OPTIONS_END) break;
    if (at === bytes.length) throw cut(`${field}, sub-option ${code}, length`, 1, at, 0);
    const length = bytes[at++] ?? 0;
    if (length > bytes.length - at) throw cut(`${field}, sub-option ${code}`, length, at, bytes.length - at);
    found.set(code, bytes.subarray(at, at + length));
    at += length;
  }
  return found;
}

/** No END is added: option 82 must not have one. */
export function writeSubOptions(values: SubOptions, field: string): Uint8Array {
  const writer = new Writer(LARGEST);
  for (const [code, value] of values) {
    const name = `${field}, sub-option ${code}`;
    if (code === PAD || code === SUB_OPTIONS_END) throw new WireError(name, 'is not a code that can be sent');
    writer.u8(code, name);
    writer.u8(value.length, `${name}, length`);
    writer.bytes(value, name);
  }
  return writer.finish();
}

export function printSubOptions(values: SubOptions): string {
  return Array.from(values, ([code, value]) => `${code}=${Array.from(value, pair).join('') || '(empty)'}`).join(' ');
}

const pair = (byte: number): string => byte.toString(16).padStart(2, '0');
