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

/**
 * The path below `/boot/` or `/files/` of a request for a file that is sent from outside the main process. The script of a machine
 * is not one: the main process renders it.
 */
export function bootPathOfTarget(target: string): string | undefined {
  const [, path] = /^(?:https?:\/\/[^/?#]+)?(\/(?:boot|files)\/[^?#]*)(?:\?.*)?$/i.exec(target) ?? [];
  return path === undefined || isScriptPath(path) ? undefined : path;
}

export function isScriptPath(path: string): boolean {
  return path.startsWith('/boot/ipxe/');
}

/** A request that the child process answers. */
export function isStreamed(target: string): boolean {
  return imageOfTarget(target) !== undefined || bootPathOfTarget(target) !== undefined;
}

/** Longer request lines are left to the main server, which refuses them. */
const FIRST_LINE_LIMIT = 8192;
const SCRIPT_START = 'GET /boot/ipxe/';

/**
 * Where a connection belongs, by its first bytes: `more` = its request line is not complete yet, `script` = it asks for the script
 * of a machine.
 */
export function sortConnection(bytes: Buffer): 'more' | 'images' | 'script' | 'main' {
  // The most frequent one by far; whether the rest of the line is well formed is seen by who reads the whole request.
  if (bytes.toString('latin1', 0, SCRIPT_START.length) === SCRIPT_START)
    return bytes.includes(0x0a) ? 'script' : tooLong(bytes);
  let start = 0;
  // Empty lines before a request are to be ignored (RFC 9112, section 2.2).
  while (bytes[start] === 0x0d || bytes[start] === 0x0a) start += 1;
  const end = bytes.indexOf(0x0a, start);
  if (end < 0) return tooLong(bytes);
  const line = /^(?:GET|HEAD) (\S+) HTTP\/1\.[01]\r?$/.exec(bytes.toString('latin1', start, end));
  const target = line?.[1];
  if (target === undefined) return 'main';
  if (isScriptPath(target)) return 'script';
  return isStreamed(target) ? 'images' : 'main';
}

function tooLong(bytes: Buffer): 'main' | 'more' {
  return bytes.length > FIRST_LINE_LIMIT ? 'main' : 'more';
}
