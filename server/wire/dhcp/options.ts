import { WireError } from '../wire-error.js';
import type { Writer } from '../writer.js';
import { readKind, writeKind } from './option-kinds.js';
import { cut, NOTHING, type OptionSet } from './option-set.js';
import { lengthField, OPTIONS, type OptionName, type OptionValue, optionField } from './option-table.js';

/** Code -> bytes in packet order. Bytes are read by kind only when asked for, so unknown or odd options survive untouched. */
export type DhcpOptions = ReadonlyMap<number, Uint8Array>;

/** Where options are put. */
export interface OptionsToFill {
  set(code: number, bytes: Uint8Array): unknown;
}

const PAD = 0;
const END = 255;
/** More needs several pieces (RFC 3396). */
const LARGEST_PIECE = 255;

/** Undefined = not in the packet; WireError = there, but not of its kind. */
export function getOption<N extends OptionName>(options: DhcpOptions, name: N): OptionValue<N> | undefined {
  const row = OPTIONS[name];
  const bytes = options.get(row.code);
  if (bytes === undefined) return undefined;
  return readKind<(typeof OPTIONS)[N]['kind']>(row.kind, bytes, optionField(row.code));
}

/** Adds or replaces; a replaced option keeps its place in the packet. */
export function setOption<N extends OptionName>(options: OptionsToFill, name: N, value: OptionValue<N>): void {
  const row = OPTIONS[name];
  options.set(row.code, writeKind<(typeof OPTIONS)[N]['kind']>(row.kind, value, optionField(row.code)));
}

export function hasOption(options: DhcpOptions, name: OptionName): boolean {
  return options.has(OPTIONS[name].code);
}

/**
 * Reads the option area from `start` to `end` of `bytes` into `into`, which was made for these bytes. The same code again continues the
 * value (RFC 3396: pieces are joined in order). An area may stop without END at an option's border, as some clients do; inside an
 * option it is cut and throws WireError.
 */
export function readOptionArea(
  bytes: Uint8Array,
  { start, end }: { readonly start: number; readonly end: number },
  into: OptionSet,
): void {
  // Joined once at the end: a packet can hold thousands of pieces, and joining each to the ones before would copy megabytes.
  let pieces: Map<number, Uint8Array[]> | undefined;
  let at = start;
  while (at < end) {
    const code = bytes[at++] ?? 0;
    if (code === PAD) continue;
    if (code === END) break;
    if (at === end) throw cut(lengthField(code), 1, at, 0);
    const length = bytes[at++] ?? 0;
    if (length > end - at) throw cut(optionField(code), length, at, end - at);
    const from = at;
    at += length;
    if (into.place(code, from, length)) continue;
    pieces ??= new Map();
    const its = pieces.get(code) ?? [into.get(code) ?? NOTHING];
    its.push(bytes.subarray(from, at));
    pieces.set(code, its);
  }
  if (pieces !== undefined) for (const [code, its] of pieces) into.set(code, joined(its));
}

/** Writes all options and END; a value over 255 bytes goes out in pieces (RFC 3396). */
export function writeOptionArea(options: DhcpOptions, writer: Writer): void {
  options.forEach((value, code) => {
    const field = optionField(code);
    if (code === PAD || code === END) throw new WireError(field, 'is not an option that can be sent');
    if (value.length <= LARGEST_PIECE) {
      writer.option(code, value, field);
      return;
    }
    let at = 0;
    do {
      const piece = value.subarray(at, at + LARGEST_PIECE);
      writer.u8(code, field);
      writer.u8(piece.length, field);
      writer.bytes(piece, field);
      at += LARGEST_PIECE;
    } while (at < value.length);
  });
  writer.u8(END, 'end of options');
}

/** Bytes that the option takes in an area, with the header of each piece. */
export function optionSize(value: Uint8Array): number {
  if (value.length <= LARGEST_PIECE) return value.length + 2;
  return value.length + 2 * Math.ceil(value.length / LARGEST_PIECE);
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
