/** Of Node's IncomingHttpHeaders, which types If-Range as any header: once or several times. */
export interface DownloadHeaders {
  readonly range?: string | undefined;
  readonly 'if-range'?: string | string[] | undefined;
  readonly 'if-match'?: string | undefined;
  readonly 'if-none-match'?: string | undefined;
}

/** How to answer a GET of a file that never changes. Byte positions are inclusive, as in Range. */
export type Download =
  | { readonly status: 200 | 206; readonly first: number; readonly last: number }
  | { readonly status: 304 | 412 }
  | { readonly status: 416; readonly reason: string };

/**
 * The preconditions in the order of RFC 9110, section 13.2.2, then Range (section 14.2). `etag` comes with its quotes; dates are
 * not compared, as we send none. A Range that is broken or of another unit is ignored, which that section allows; several ranges are
 * refused: a multipart answer is more than any boot loader reads, and the whole file is not what was asked for.
 */
export function decideDownload(method: 'GET' | 'HEAD', headers: DownloadHeaders, size: number, etag: string): Download {
  const whole: Download = { status: 200, first: 0, last: size - 1 };
  const ifMatch = headers['if-match'];
  if (ifMatch !== undefined && !lists(ifMatch, etag)) return { status: 412 };
  const ifNoneMatch = headers['if-none-match'];
  // A weak tag compares as well here (section 13.1.2).
  if (ifNoneMatch !== undefined && lists(ifNoneMatch.replaceAll('W/', ''), etag)) return { status: 304 };
  // Range means something for GET only (section 14.2).
  if (method === 'HEAD' || headers.range === undefined) return whole;
  const ifRange = headers['if-range'];
  if (ifRange !== undefined && String(ifRange).trim() !== etag) return whole;
  return range(headers.range, size) ?? whole;
}

/** Undefined = to be ignored. */
function range(header: string, size: number): Download | undefined {
  const set = /^\s*bytes\s*=(.*)$/i.exec(header)?.[1];
  if (set === undefined) return undefined;
  const specs = set.split(',').map((spec) => /^\s*(\d*)\s*-\s*(\d*)\s*$/.exec(spec));
  if (specs.some((spec) => spec === null)) return undefined;
  if (specs.length > 1)
    return { status: 416, reason: 'one range at a time: ask for the others in requests of their own' };
  const [, from = '', to = ''] = specs[0] ?? [];
  if (from === '' && to === '') return undefined;
  if (from === '') {
    const count = Math.min(Number(to), size);
    if (count === 0) return { status: 416, reason: 'the last 0 bytes are nothing' };
    return { status: 206, first: size - count, last: size - 1 };
  }
  // Larger than any file is larger than this one, however many digits it has (section 14.1.2).
  const first = Number(from);
  if (to !== '' && Number(to) < first) return undefined;
  if (first >= size) return { status: 416, reason: `the file has ${size} bytes, the range starts at ${first}` };
  return { status: 206, first, last: to === '' ? size - 1 : Math.min(Number(to), size - 1) };
}

/** `*`, or a list of tags that holds this one. */
function lists(header: string, etag: string): boolean {
  return header.split(',').some((tag) => tag.trim() === '*' || tag.trim() === etag);
}
