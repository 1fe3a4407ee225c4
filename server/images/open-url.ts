import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { invalid, notFound, unavailable } from '../domain/errors.js';
import { shownUrl } from '../domain/shown-url.js';

export interface Answer {
  readonly body: IncomingMessage;
  /** True: the body begins behind the bytes that were there; false: it is the whole file. */
  readonly continues: boolean;
  /** Bytes of the whole file, if told. */
  readonly total?: number;
  /** For If-Range; absent when the server gives nothing that can be relied on. */
  readonly validator?: string;
  /** The last URL of the redirects, as `shownUrl` has it. */
  readonly from: string;
  readonly address: string;
}

export interface OpenOptions {
  /** Bytes that are there already; asked for only with a validator. */
  readonly have: number;
  readonly validator?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

const REDIRECTS = 5;
/** A server that says nothing for so long is gone. */
const SILENCE_MS = 30_000;
const REDIRECT_STATUS = new Set([301, 302, 303, 307, 308]);

/** Checks a URL before anything is sent. Throws `invalid`. */
export function parseImageUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol) || url.hostname === '') {
    throw invalid(`"${text.slice(0, 200)}" is not a URL that can be downloaded`, {
      field: 'url',
      remedy: 'write http://… or https://…',
    });
  }
  return url;
}

/** GET with at most five redirects, never from https to http. Rejects with `invalid`, `not_found`, `unavailable`, or the socket's error. */
export async function openUrl(text: string, options: OpenOptions): Promise<Answer> {
  let url = parseImageUrl(text);
  for (let count = 0; ; count += 1) {
    const { body, address } = await get(url, options);
    const status = body.statusCode ?? 0;
    const { location } = body.headers;
    if (!REDIRECT_STATUS.has(status) || location === undefined) return answerOf(url, body, address, options);
    body.destroy();
    if (count === REDIRECTS)
      throw invalid(`${shownUrl(text)} redirects more than ${REDIRECTS} times`, { field: 'url' });
    const next = parseImageUrl(new URL(location, url).href);
    if (url.protocol === 'https:' && next.protocol === 'http:') {
      throw invalid(`${shownUrl(text)} redirects from https to ${shownUrl(next.href)}`, {
        field: 'url',
        remedy: 'name that URL itself if you trust the way to it, with its sha256',
      });
    }
    url = next;
  }
}

function get(url: URL, { have, validator, signal }: OpenOptions): Promise<{ body: IncomingMessage; address: string }> {
  return new Promise((resolve, reject) => {
    const range = have > 0 && validator !== undefined ? { range: `bytes=${have}-`, 'if-range': validator } : {};
    const request = (url.protocol === 'https:' ? https : http).get(url, {
      agent: false,
      // Compressed on the way it would be another file than the one whose digest is known, and no range of it.
      headers: { 'accept-encoding': 'identity', 'user-agent': 'anybios', ...range },
      ...(signal === undefined ? {} : { signal }),
    });
    request.setTimeout(SILENCE_MS, () => request.destroy(new Error(`no answer for ${SILENCE_MS / 1000} s`)));
    request.once('response', (body) => resolve({ body, address: body.socket.remoteAddress ?? 'unknown' }));
    request.once('error', reject);
  });
}

function answerOf(url: URL, body: IncomingMessage, address: string, { have }: OpenOptions): Answer {
  const status = body.statusCode ?? 0;
  const from = shownUrl(url.href);
  const common = { body, from, address, ...validatorOf(body) };
  if (status === 200) return { ...common, continues: false, ...lengthOf(body.headers['content-length']) };
  if (status === 206) {
    const [, first, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(body.headers['content-range'] ?? '') ?? [];
    if (Number(first) === have) return { ...common, continues: true, ...lengthOf(total) };
  }
  body.destroy();
  const words = `${from} (${address}) answers ${status} ${body.statusMessage ?? ''}`.trim();
  if (status >= 500 || status === 429 || status === 416 || status === 206) throw unavailable(words);
  if (status === 404 || status === 410) throw notFound(words, { field: 'url', remedy: 'check the URL' });
  throw invalid(words, { field: 'url', remedy: 'check the URL, and whether it needs a password' });
}

/** Strong ones only: with a weak ETag a server may send other bytes (RFC 9110, section 13.1.5). */
function validatorOf({ headers }: IncomingMessage): { readonly validator?: string } {
  const { etag, 'last-modified': modified } = headers;
  if (etag !== undefined && !etag.startsWith('W/')) return { validator: etag };
  return modified === undefined ? {} : { validator: modified };
}

function lengthOf(text: string | undefined): { readonly total?: number } {
  return text !== undefined && /^\d{1,15}$/.test(text) ? { total: Number(text) } : {};
}
