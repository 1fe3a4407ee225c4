const LF = 0x0a;
const CR = 0x0d;

/** A text as mode `netascii` carries it (RFC 764, by RFC 1350): a line end is CR LF, a CR alone is CR NUL. Longer than the input. */
export function toNetascii(bytes: Uint8Array): Uint8Array {
  let extra = 0;
  for (const byte of bytes) if (byte === LF || byte === CR) extra += 1;
  const out = new Uint8Array(bytes.length + extra);
  let at = 0;
  for (const byte of bytes) {
    if (byte === LF) out[at++] = CR;
    out[at++] = byte;
    if (byte === CR) out[at++] = 0;
  }
  return out;
}
