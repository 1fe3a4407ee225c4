const PAIRS: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

const hexPair = (byte: number): string => PAIRS[byte] ?? '';

/** Of what a packet names: more bytes go the long way. */
const MOST = 32;
const DIGITS = Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));
const COLON = 0x3a;
const DASH = 0x2d;
const scratch = Buffer.alloc(3 * MOST);

/**
 * Two lower-case digits for each byte, `separator` between them. Written as bytes first: a text put together from pieces stays a tree
 * of them, which a lease would keep and each collection would copy.
 */
export function hexOf(bytes: Uint8Array, separator: '' | ':' = ''): string {
  if (bytes.length > MOST) return Array.from(bytes, hexPair).join(separator);
  let at = 0;
  for (let i = 0; i < bytes.length; i++) {
    if (i > 0 && separator !== '') scratch[at++] = COLON;
    at = put(bytes[i] ?? 0, at);
  }
  return scratch.toString('latin1', 0, at);
}

/** The digits of the bytes at these places, a dash between the groups. At most 32 bytes. */
export function hexGroups(bytes: Uint8Array, groups: readonly (readonly number[])[]): string {
  let at = 0;
  for (const group of groups) {
    if (at > 0) scratch[at++] = DASH;
    for (const place of group) at = put(bytes[place] ?? 0, at);
  }
  return scratch.toString('latin1', 0, at);
}

function put(byte: number, at: number): number {
  scratch[at] = DIGITS[byte >>> 4] ?? 0;
  scratch[at + 1] = DIGITS[byte & 15] ?? 0;
  return at + 2;
}
