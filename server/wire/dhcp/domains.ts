import { Reader } from '../reader.js';
import { WireError } from '../wire-error.js';
import { Writer } from '../writer.js';

const LARGEST = 0xffff;
/** RFC 1035, section 3.1: a label has at most 63 bytes; the two highest bits of its length mark a pointer instead. */
const POINTER = 0xc0;
const LARGEST_LABEL = 63;
const LARGEST_NAME = 255;

const decoder = new TextDecoder('latin1');

/** Option 119 (RFC 3397): DNS names in the form of RFC 1035, pointers into the option included. */
export function readDomains(bytes: Uint8Array, field: string): readonly string[] {
  const names: string[] = [];
  let at = 0;
  while (at < bytes.length) {
    const { name, end } = readName(bytes, at, field);
    names.push(name);
    at = end;
  }
  return names;
}

function readName(bytes: Uint8Array, start: number, field: string): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let reader = new Reader(bytes.subarray(start));
  let base = start;
  let end: number | undefined;
  for (;;) {
    const here = base + reader.offset;
    const length = reader.u8(field);
    if (length === 0) return { name: labels.join('.'), end: end ?? base + reader.offset };
    if ((length & POINTER) === POINTER) {
      const target = ((length & ~POINTER) << 8) | reader.u8(field);
      end ??= base + reader.offset;
      // Only backwards: a pointer to itself or ahead could be followed for ever.
      if (target >= here) throw new WireError(field, `a name points to byte ${target}, which is not before it`);
      base = target;
      reader = new Reader(bytes.subarray(target));
    } else if (length > LARGEST_LABEL) {
      throw new WireError(field, `a label of ${length} bytes is over ${LARGEST_LABEL}`);
    } else {
      labels.push(decoder.decode(reader.bytes(length, field)));
      if (labels.length > LARGEST_NAME / 2) throw new WireError(field, 'a name has too many labels');
    }
  }
}

/** Written without pointers. */
export function writeDomains(names: readonly string[], field: string): Uint8Array {
  const writer = new Writer(LARGEST);
  for (const name of names) {
    for (const label of name.split('.')) {
      if (label.length === 0 || label.length > LARGEST_LABEL) throw new WireError(field, `"${name}" is not a DNS name`);
      writer.u8(label.length, field);
      writer.bytes(new TextEncoder().encode(label), field);
    }
    writer.u8(0, field);
  }
  return writer.finish();
}
