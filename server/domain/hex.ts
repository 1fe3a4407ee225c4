const PAIRS: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Two lower-case digits of a byte. */
export const hexPair = (byte: number): string => PAIRS[byte] ?? '';

/** Two lower-case digits for each byte, `separator` between them. From a table: a packet needs several of these. */
export function hexOf(bytes: Uint8Array, separator = ''): string {
  let text = '';
  for (let i = 0; i < bytes.length; i++) {
    if (i > 0) text += separator;
    text += PAIRS[bytes[i] ?? 0];
  }
  return text;
}
