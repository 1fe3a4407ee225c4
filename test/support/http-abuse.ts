import { connect, type Socket } from 'node:net';

// What a hostile or broken client may do to an HTTP server, over plain sockets. Each resolves when it has been done; what the
// server said comes back for the test to look at.

export interface Target {
  readonly port: number;
  /** Path of a large image. */
  readonly image: string;
}

/** Sends `text` and resolves to all that came until the server closed, or to what came when `patience` (a promise) ended. */
export function exchange(port: number, text: string | Buffer, patience?: Promise<unknown>): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    // A reset is an answer too.
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
    socket.on('end', () => socket.end());
    socket.write(text);
    patience?.then(
      () => socket.destroy(),
      () => socket.destroy(),
    );
  });
}

/** Connections that are open and say nothing, or `text` and no more. Resolves when all are connected. */
export async function hold(port: number, count: number, text = ''): Promise<readonly Socket[]> {
  const sockets: Socket[] = [];
  // In groups: the backlog of the listener is not what is tried here.
  for (let at = 0; at < count; at += 500) {
    await Promise.all(
      Array.from(
        { length: Math.min(500, count - at) },
        () =>
          new Promise<void>((resolve) => {
            const socket = connect({ port, host: '127.0.0.1' });
            sockets.push(socket);
            socket.on('error', () => resolve());
            socket.once('connect', () => {
              if (text !== '') socket.write(text);
              resolve();
            });
          }),
      ),
    );
  }
  return sockets;
}

/** Asks for the image and reads nothing. Resolves when the first bytes of all have come. */
export async function slowReaders({ port, image }: Target, count: number): Promise<readonly Socket[]> {
  const sockets = await hold(port, count, `GET ${image} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await Promise.all(
    sockets.map(
      (socket) =>
        new Promise<void>((resolve) => {
          socket.once('close', () => resolve());
          socket.once('data', () => {
            socket.pause();
            resolve();
          });
        }),
    ),
  );
  return sockets;
}

/** A head that never ends, as fast as the server takes it, until it closes. Resolves to what it said. */
export function headerFlood(port: number, firstLine: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const chunks: Buffer[] = [];
    const more = (): void => {
      while (!socket.destroyed && socket.writable && socket.write(`X-Flood: ${'y'.repeat(1000)}\r\n`));
    };
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', () => undefined);
    socket.on('drain', more);
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
    socket.write(`${firstLine}\r\nHost: x\r\n`);
    more();
  });
}

/** Each with the statuses that are right for it. */
export const RANGES: Readonly<Record<string, readonly number[]>> = {
  'bytes=0-': [206],
  'bytes=-1': [206],
  'bytes=-0': [416],
  'bytes=5-4': [200],
  'bytes=-': [200],
  'bytes=--1': [200],
  'bytes=-99999999999999': [206],
  'bytes=99999999999999-': [416],
  'bytes=0-99999999999999': [206],
  'bytes=18446744073709551615-18446744073709551616': [416],
  'bytes=0-18446744073709551616': [206],
  [`bytes=${'9'.repeat(4000)}-`]: [416],
  [`bytes=-${'9'.repeat(4000)}`]: [206],
  'bytes=0-0,0-0,0-0': [416],
  [`bytes=${Array.from({ length: 1000 }, (_, at) => `${at}-`).join(',')}`]: [416],
  'bytes=0x10-0x20': [200],
  'lines=1-2': [200],
  'bytes=1e3-2e3': [200],
};

const SECOND = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
const post = (target: string, headers: string): string => `POST ${target} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;

/** Requests that two parsers may cut at different places. None may make `/smuggled` a request of its own. */
export const SMUGGLING: Readonly<Record<string, (target: string) => string>> = {
  'a length and chunks': (target) =>
    `${post(target, `Content-Length: ${5 + SECOND.length}\r\nTransfer-Encoding: chunked\r\n`)}0\r\n\r\n${SECOND}`,
  'two lengths': (target) => `${post(target, `Content-Length: 0\r\nContent-Length: ${SECOND.length}\r\n`)}${SECOND}`,
  'a length with a sign': (target) => `${post(target, `Content-Length: +${SECOND.length}\r\n`)}${SECOND}`,
  'chunks spelled badly': (target) => `${post(target, 'Transfer-Encoding: xchunked\r\n')}0\r\n\r\n${SECOND}`,
  'a space before the colon': (target) => `${post(target, `Content-Length : ${SECOND.length}\r\n`)}${SECOND}`,
  'a folded header': (target) => `${post(target, `X: y\r\n Content-Length: 0\r\nContent-Length: 3\r\n`)}abc${SECOND}`,
  'a bare CR': (target) => `GET ${target} HTTP/1.1\r\nHost: x\r\nX: y\rContent-Length: 3\r\n\r\nabc${SECOND}`,
  'a body behind a GET': (target) =>
    `GET ${target} HTTP/1.1\r\nHost: x\r\nContent-Length: ${SECOND.length}\r\n\r\n${SECOND}`,
  'chunks with a huge size': (target) =>
    `${post(target, 'Transfer-Encoding: chunked\r\n')}ffffffffffffffff0\r\n${SECOND}`,
};
