/** A request for a file of the image store. */
export interface ImageTarget {
  /** sha256 in hex. */
  readonly digest: string;
  /** The path without its leading slash, for the timeline: `images/sha256/HEX/vmlinuz`. */
  readonly name: string;
}

/**
 * `/images/sha256/HEX`, or `/images/sha256/HEX/NAME`: iPXE and curl name the file by the last part, which means nothing to us. A
 * query is ignored; the absolute form of a proxy request (RFC 9112, section 3.2.2) is understood. Anything else is undefined: the
 * digest is 64 lower-case digits, so no path below the store can be spelled.
 */
export function imageOfTarget(target: string): ImageTarget | undefined {
  const match = /^(?:https?:\/\/[^/?#]+)?\/(images\/sha256\/([0-9a-f]{64})(?:\/[^/?#]{1,255})?)(?:\?.*)?$/i.exec(
    target,
  );
  const [, name, digest] = match ?? [];
  if (name === undefined || digest === undefined || digest !== digest.toLowerCase()) return undefined;
  return { digest, name };
}

/** Longer request lines are left to the main server, which refuses them. */
const FIRST_LINE_LIMIT = 8192;

/** Where a new connection belongs, by its first bytes: `more` = its request line is not complete yet. */
export function sortConnection(bytes: Buffer): 'more' | 'images' | 'main' {
  let start = 0;
  // Empty lines before a request are to be ignored (RFC 9112, section 2.2).
  while (bytes[start] === 0x0d || bytes[start] === 0x0a) start += 1;
  const end = bytes.indexOf(0x0a, start);
  if (end < 0) return bytes.length > FIRST_LINE_LIMIT ? 'main' : 'more';
  const line = /^(?:GET|HEAD) (\S+) HTTP\/1\.[01]\r?$/.exec(bytes.toString('latin1', start, end));
  return line?.[1] !== undefined && imageOfTarget(line[1]) !== undefined ? 'images' : 'main';
}
