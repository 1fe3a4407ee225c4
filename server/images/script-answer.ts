import type { BootAnswer } from '../boot/contract.js';
import { CLIENT_HEADER } from './nginx-config.js';

/** A request for the script of a machine, of the plain form that firmware and boot loaders send. */
export interface ScriptRequest {
  readonly head: boolean;
  /** As it was sent, without the query. */
  readonly path: string;
  /** The connection may be used again. */
  readonly keep: boolean;
  /** Who asks, as nginx says. */
  readonly client?: string;
  /** Bytes of the whole request. */
  readonly length: number;
}

const HEAD_LIMIT = 8192;
const REQUEST_LINE = /^(GET|HEAD) (\/[^\s?#]*)(?:\?[^\s#]*)? HTTP\/1\.([01])$/;
// RFC 9110, section 5.5; no folded lines (RFC 9112, section 5.2).
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/;
/** They change where a request ends or how it is answered: such a one is for the main server, which knows all of HTTP. */
const OTHERS = new Set(['content-length', 'transfer-encoding', 'expect', 'upgrade', 'te', 'trailer']);

interface Fields {
  readonly hosts: number;
  /** undefined = the version decides. */
  readonly keep: boolean | undefined;
  readonly client: string | undefined;
}

/** All machines of a room send the same fields: what was read of them last, by their text. Each has 8 KiB at most. */
const KNOWN_FIELDS = 64;
const knownFields = new Map<string, Fields | 'unusual'>();

function readFields(text: string): Fields | 'unusual' {
  const known = knownFields.get(text);
  if (known !== undefined) return known;
  const fields = parseFields(text);
  if (knownFields.size >= KNOWN_FIELDS) knownFields.clear();
  knownFields.set(text, fields);
  return fields;
}

function parseFields(text: string): Fields | 'unusual' {
  let hosts = 0;
  let client: string | undefined;
  let keep: boolean | undefined;
  for (const field of text === '' ? [] : text.split('\r\n')) {
    const [, name = '', value = ''] = FIELD.exec(field) ?? [];
    const lower = name.toLowerCase();
    if (lower === '' || OTHERS.has(lower)) return 'unusual';
    if (lower === 'host') hosts += 1;
    if (lower === CLIENT_HEADER) {
      if (client !== undefined) return 'unusual';
      client = value.trim();
    }
    if (lower === 'connection') {
      const word = value.trim().toLowerCase();
      if (word !== 'close' && word !== 'keep-alive') return 'unusual';
      keep = word === 'keep-alive';
    }
  }
  return { hosts, keep, client };
}

/**
 * Reads the first request in `bytes`. `more` = its head is not complete, `unusual` = let the main server read it. Anything that two
 * readers could understand differently is unusual: there is one parser for doubtful requests, not two.
 */
export function readScriptRequest(bytes: Buffer): 'more' | 'unusual' | ScriptRequest {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return bytes.length > HEAD_LIMIT ? 'unusual' : 'more';
  if (end > HEAD_LIMIT) return 'unusual';
  const text = bytes.toString('latin1', 0, end);
  const lineEnd = text.indexOf('\r\n');
  const line = REQUEST_LINE.exec(lineEnd < 0 ? text : text.slice(0, lineEnd));
  if (line === null) return 'unusual';
  const fields = readFields(lineEnd < 0 ? '' : text.slice(lineEnd + 2));
  if (fields === 'unusual') return 'unusual';
  const { hosts, client, keep = line[3] === '1' } = fields;
  // RFC 9112, section 3.2: exactly one from HTTP/1.1 on.
  if (hosts > 1 || (hosts === 0 && line[3] === '1')) return 'unusual';
  const base = { head: line[1] === 'HEAD', path: line[2] ?? '', keep, length: end + 4 };
  return client === undefined ? base : { ...base, client };
}

/** The whole answer as text. A name below /boot/ipxe/ is rendered or refused; a file there would be the site's own, and is not sent here. */
export function scriptAnswer({ head, keep }: ScriptRequest, file: BootAnswer): string {
  if (file.kind === 'text') return wholeAnswer('200 OK', file.contentType, file.text, head, keep);
  const [status, reason] = file.kind === 'none' ? [file.status, file.reason] : [404, 'only scripts are here'];
  return wholeAnswer(`${status} ${reason}`, 'text/plain; charset=utf-8', `${reason}\n`, head, keep);
}

function wholeAnswer(status: string, contentType: string, body: string, head: boolean, keep: boolean): string {
  return `HTTP/1.1 ${status}\r\nDate: ${httpDate()}\r\nContent-Type: ${contentType}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: ${keep ? 'keep-alive' : 'close'}\r\n\r\n${head ? '' : body}`;
}

let dateSecond = 0;
let dateText = '';

/** RFC 9110, section 5.6.7; made once a second. */
function httpDate(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(second * 1000).toUTCString();
  }
  return dateText;
}
