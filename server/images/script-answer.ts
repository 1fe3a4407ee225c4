import type { Socket } from 'node:net';
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

/**
 * Reads the first request in `bytes`. `more` = its head is not complete, `unusual` = let the main server read it. Anything that two
 * readers could understand differently is unusual: there is one parser for doubtful requests, not two.
 */
export function readScriptRequest(bytes: Buffer): 'more' | 'unusual' | ScriptRequest {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return bytes.length > HEAD_LIMIT ? 'unusual' : 'more';
  if (end > HEAD_LIMIT) return 'unusual';
  const [first = '', ...fields] = bytes.toString('latin1', 0, end).split('\r\n');
  const line = REQUEST_LINE.exec(first);
  if (line === null) return 'unusual';
  let hosts = 0;
  let client: string | undefined;
  let keep = line[3] === '1';
  for (const field of fields) {
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
  // RFC 9112, section 3.2: exactly one from HTTP/1.1 on.
  if (hosts > 1 || (hosts === 0 && line[3] === '1')) return 'unusual';
  const base = { head: line[1] === 'HEAD', path: line[2] ?? '', keep, length: end + 4 };
  return client === undefined ? base : { ...base, client };
}

/**
 * Writes the answer. Resolves to whether the connection goes on, once the client takes bytes again: what it asks for meanwhile waits.
 */
export async function answerScript(
  socket: Socket,
  { head, keep }: ScriptRequest,
  answer: () => Promise<BootAnswer>,
): Promise<boolean> {
  const file = await answer();
  // A name below /boot/ipxe/ is rendered or refused; a file there would be the site's own, and is not sent from this event loop.
  const [status, contentType, body] =
    file.kind === 'text'
      ? ['200 OK', file.contentType, file.text]
      : file.kind === 'none'
        ? [`${file.status} ${file.reason}`, 'text/plain; charset=utf-8', `${file.reason}\n`]
        : ['404 only scripts are here', 'text/plain; charset=utf-8', 'only scripts are here\n'];
  const length = Buffer.byteLength(body);
  const text = `HTTP/1.1 ${status}\r\nDate: ${httpDate()}\r\nContent-Type: ${contentType}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nContent-Length: ${length}\r\nConnection: ${keep ? 'keep-alive' : 'close'}\r\n\r\n${head ? '' : body}`;
  if (socket.destroyed) return false;
  // Scripts are ASCII but for what people write into templates; one byte a letter is the faster way.
  const letters = length === body.length ? 'latin1' : 'utf8';
  if (!keep) {
    socket.end(text, letters);
    return false;
  }
  if (!socket.write(text, letters)) await drained(socket);
  return !socket.destroyed;
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    socket.on('drain', done).on('close', done);
  });
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
