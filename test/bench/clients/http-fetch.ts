import { connect } from 'node:net';

/** Everyone reads into it: the bytes of large files are only counted. */
const sink = Buffer.allocUnsafe(512 << 10);
const HEAD_LIMIT = 16 << 10;
const SILENCE_MS = 60_000;

export interface HttpAnswer {
  readonly bytes: number;
  /** The body, if `keep`. */
  readonly text: string;
}

/** GET from an address of the machine's own. Rejects unless the answer is 200 and as long as its head says. */
export function fetchHttp(url: string, local: string, keep = false): Promise<HttpAnswer> {
  const { hostname, port, pathname, search } = new URL(url);
  return new Promise((resolve, reject) => {
    let head = '';
    let total = -1;
    let bytes = 0;
    let text = '';
    const settle = (error?: Error): void => {
      socket.destroy();
      if (error === undefined) resolve({ bytes, text });
      else reject(new Error(`${pathname.slice(0, 40)}: ${error.message}`));
    };
    const body = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (keep) text += chunk.toString('latin1');
      if (bytes === total) settle();
    };
    const read = (length: number): void => {
      if (total >= 0) {
        body(sink.subarray(0, length));
        return;
      }
      head += sink.toString('latin1', 0, length);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) {
        if (head.length > HEAD_LIMIT) settle(new Error('the head does not end'));
        return;
      }
      const status = head.slice(9, 12);
      const stated = /^content-length: *(\d+)/im.exec(head.slice(0, end))?.[1];
      if (status !== '200' || stated === undefined) {
        settle(new Error(head.slice(0, head.indexOf('\r\n'))));
        return;
      }
      total = Number(stated);
      body(Buffer.from(head.slice(end + 4), 'latin1'));
    };
    const socket = connect({
      host: hostname,
      port: Number(port === '' ? 80 : port),
      localAddress: local,
      onread: {
        buffer: sink,
        callback: (length) => {
          read(length);
          return true;
        },
      },
    });
    socket.setTimeout(SILENCE_MS, () => settle(new Error('60 s without a byte')));
    socket.on('error', settle);
    socket.on('close', () => settle(new Error(`closed after ${bytes} of ${total} bytes`)));
    socket.write(`GET ${pathname}${search} HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\n\r\n`);
  });
}
