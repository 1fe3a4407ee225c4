import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { decideDownload } from './download.js';
import { type ImageTarget, imageOfTarget } from './image-url.js';
import { redirectHere } from './redirect-images.js';
import type { StreamReport } from './stream-messages.js';

/** Read from the disk at once. */
const LARGEST_CHUNK = 1 << 20;
const SMALLEST_CHUNK = 64 << 10;
/** All downloads together: many at once read smaller pieces, so that 1,000 machines do not cost a gigabyte of buffers. */
const CHUNKS_TOGETHER = 128 << 20;
const PROGRESS_EVERY = 1000;
const CLIENT_LEFT = 'the client closed the connection';
/** Programs that mount an image over HTTP ask for small pieces by the thousand; those are no news for the timeline. */
const SMALLEST_PART_TOLD = 1 << 20;

export interface ServeImageOptions {
  readonly imagesDir: string;
  readonly report: (report: StreamReport) => void;
}

type Serve = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** Answers requests for images; every other one is sent to a connection of its own, where the main process has it. */
export function createImageServer(options: ServeImageOptions): Serve {
  let active = 0;
  let lastId = 0;

  return async (request, response) => {
    const target = imageOfTarget(request.url ?? '');
    if (target === undefined) {
      redirectHere(request, response);
      return;
    }
    const { method } = request;
    if (method !== 'GET' && method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      refuse(response, 405, 'images are read-only');
      return;
    }
    lastId += 1;
    const download = new DownloadReport(options.report, lastId, request, target);
    const handle = await openImage(options.imagesDir, target, download, response);
    if (handle === undefined) return;
    active += 1;
    try {
      const chunk = Math.min(LARGEST_CHUNK, Math.max(SMALLEST_CHUNK, Math.floor(CHUNKS_TOGETHER / active)));
      await answer(method, handle, request, response, download, target, chunk);
    } finally {
      active -= 1;
      await handle.close();
    }
  };
}

async function answer(
  method: 'GET' | 'HEAD',
  handle: FileHandle,
  request: IncomingMessage,
  response: ServerResponse,
  report: DownloadReport,
  { digest }: ImageTarget,
  chunkBytes: number,
): Promise<void> {
  const { size } = await handle.stat();
  const etag = `"${digest}"`;
  const download = decideDownload(method, request.headers, size, etag);
  response.setHeader('ETag', etag);
  response.setHeader('Accept-Ranges', 'bytes');
  // The name is the content: it can be kept for ever.
  response.setHeader('Cache-Control', 'public, max-age=31536000, immutable');
  switch (download.status) {
    case 304:
      response.writeHead(304).end();
      return;
    case 412:
      refuse(response, 412, 'the file has another digest than the one in If-Match');
      return;
    case 416:
      response.setHeader('Content-Range', `bytes */${size}`);
      refuse(response, 416, download.reason);
      return;
    case 206:
      response.setHeader('Content-Range', `bytes ${download.first}-${download.last}/${size}`);
      break;
    case 200:
      break;
  }
  const length = download.last - download.first + 1;
  response.writeHead(download.status, { 'Content-Type': 'application/octet-stream', 'Content-Length': length });
  if (method === 'HEAD') {
    response.end();
    report.end('probed', 200, 0, size);
    return;
  }
  report.begin(download.status, length, download.status === 200 || length >= SMALLEST_PART_TOLD);
  try {
    await stream(handle, response, download.first, length, chunkBytes, (bytes) => report.progress(bytes));
    report.end('sent', download.status, length, length);
  } catch (error) {
    report.end('failed', download.status, undefined, length, reasonOf(error));
    // The length was promised; only the end of the connection tells that it cannot be kept.
    response.destroy();
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const gone = 'code' in error && ['EPIPE', 'ECONNRESET', 'ERR_STREAM_DESTROYED'].includes(String(error.code));
  return gone ? CLIENT_LEFT : error.message;
}

/** Sends `length` bytes from `first` on. Rejects when the client goes away or the file cannot be read. */
async function stream(
  handle: FileHandle,
  response: ServerResponse,
  first: number,
  length: number,
  chunkBytes: number,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const gone = whenGone(response);
  try {
    // One buffer: it is read into again only when the operating system has taken all of it, which is the back-pressure too.
    const buffer = Buffer.allocUnsafeSlow(Math.min(chunkBytes, length));
    let done = 0;
    while (done < length) {
      const wanted = Math.min(buffer.length, length - done);
      const { bytesRead } = await handle.read(buffer, 0, wanted, first + done);
      if (bytesRead === 0) throw new Error('the file became shorter while it was sent');
      await Promise.race([written(response, buffer.subarray(0, bytesRead)), gone.promise]);
      done += bytesRead;
      onBytes(done);
    }
    response.end();
  } finally {
    gone.stop();
  }
}

function written(response: ServerResponse, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    response.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

/** Rejects when the connection closes: a write that waits in a queue then is never called back. */
function whenGone(response: ServerResponse): { readonly promise: Promise<never>; stop(): void } {
  const { socket } = response;
  let slow = false;
  let fail: (reason: Error) => void = () => undefined;
  const promise = new Promise<never>((_, reject) => {
    fail = reject;
  });
  // Also when nobody waits for it at that moment.
  promise.catch(() => undefined);
  const onTimeout = (): void => {
    slow = true;
  };
  const onClose = (): void => fail(new Error(slow ? 'the client took no bytes for a minute' : CLIENT_LEFT));
  socket?.prependOnceListener('timeout', onTimeout);
  response.once('close', onClose);
  if (response.closed || response.destroyed) onClose();
  return {
    promise,
    stop() {
      socket?.off('timeout', onTimeout);
      response.off('close', onClose);
    },
  };
}

async function openImage(
  imagesDir: string,
  { digest }: ImageTarget,
  report: DownloadReport,
  response: ServerResponse,
): Promise<FileHandle | undefined> {
  try {
    return await open(`${imagesDir}/sha256/${digest}`, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const [status, reason] =
      code === 'ENOENT'
        ? [404, 'no file with this sha256 is here']
        : code === 'EMFILE' || code === 'ENFILE'
          ? [503, 'too many downloads at once (no file descriptor left): try again']
          : [500, `the file cannot be opened (${code})`];
    if (status === 503) response.setHeader('Retry-After', '2');
    refuse(response, status, reason);
    report.end('failed', status, 0, 0, reason);
    return undefined;
  }
}

/** The reason stands in the status line too: busybox wget prints nothing else. */
export function refuse(response: ServerResponse, status: number, reason: string): void {
  const body = `${reason}\n`;
  response.removeHeader('Cache-Control');
  response
    .writeHead(status, reason, {
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Length': Buffer.byteLength(body),
    })
    .end(body);
}

/** What is told of one answer: its beginning, at most one progress a second, its end. */
class DownloadReport {
  readonly #send: (report: StreamReport) => void;
  readonly #base: Pick<StreamReport, 'kind' | 'id' | 'address' | 'name'>;
  readonly #startedAt = performance.now();
  #told = this.#startedAt;
  #status = 0;
  #total = 0;
  #bytes = 0;
  #worthTelling = true;

  constructor(send: (report: StreamReport) => void, id: number, request: IncomingMessage, target: ImageTarget) {
    this.#send = send;
    this.#base = { kind: 'report', id, address: request.socket.remoteAddress ?? '', name: target.name };
  }

  begin(status: number, total: number, worthTelling: boolean): void {
    this.#status = status;
    this.#total = total;
    this.#worthTelling = worthTelling;
    if (worthTelling) this.#tell('started');
  }

  progress(bytes: number): void {
    this.#bytes = bytes;
    if (!this.#worthTelling || performance.now() - this.#told < PROGRESS_EVERY || bytes === this.#total) return;
    this.#tell('progress');
  }

  end(phase: 'sent' | 'probed' | 'failed', status: number, bytes: number | undefined, total: number, reason?: string) {
    this.#status = status;
    this.#total = total;
    if (bytes !== undefined) this.#bytes = bytes;
    if (this.#worthTelling || phase === 'failed') this.#tell(phase, reason);
  }

  #tell(phase: StreamReport['phase'], reason?: string): void {
    const now = performance.now();
    this.#told = now;
    this.#send({
      ...this.#base,
      phase,
      status: this.#status,
      bytes: this.#bytes,
      total: this.#total,
      milliseconds: Math.round(now - this.#startedAt),
      ...(reason === undefined ? {} : { reason }),
    });
  }
}
