import type { IncomingMessage, ServerResponse } from 'node:http';
import type { BootAnswer } from '../boot/contract.js';
import { decideDownload } from './download.js';
import { DownloadReport } from './download-report.js';
import { chooseVariant, ENCODINGS, type Encoding } from './encodings.js';
import { bootPathOfTarget, imageOfTarget } from './image-url.js';
import {
  createNginxAnswers,
  damaged,
  isDamaged,
  KEPT_FOR_EVER,
  lookAt,
  type NginxAnswer,
  refusal,
  SMALLEST_PART_TOLD,
} from './nginx-answers.js';
import { CLIENT_HEADER } from './nginx-config.js';
import { assertSamePath, type OpenFile, OpenFiles } from './open-files.js';
import { redirectHere } from './redirect-images.js';
import type { SendBody } from './send-body.js';
import { CLIENT_LEFT } from './sendfile-messages.js';
import type { StreamReport } from './stream-messages.js';

export interface ServeImageOptions {
  readonly imagesDir: string;
  /** Images are sent by nginx (X-Accel-Redirect), which also says who asks. */
  readonly accel: boolean;
  readonly report: (report: StreamReport) => void;
  /** Numbers of the downloads of this process. */
  readonly nextId: () => number;
  readonly sendBody: SendBody;
  /** What the main process says of a name below /boot or /files. */
  readonly bootFile: (target: string, method: 'GET' | 'HEAD', address: string) => Promise<BootAnswer>;
}

type Serve = (request: IncomingMessage, response: ServerResponse) => Promise<void>;
type Method = 'GET' | 'HEAD';

/** Answers requests for images and boot files; every other one is sent to a connection of its own, where the main process has it. */
export function createImageServer(options: ServeImageOptions): Serve {
  const files = new OpenFiles();
  const tellNginx = createNginxAnswers(options);

  return async (request, response) => {
    const { method, url = '' } = request;
    const image = imageOfTarget(url);
    // Nobody here reads a body: what follows it could be taken for a request.
    if (hasBody(request)) response.setHeader('Connection', 'close');
    const client = options.accel ? request.headers[CLIENT_HEADER] : request.socket.remoteAddress;
    const address = String(client ?? '');
    const isBoot = image === undefined && bootPathOfTarget(url) !== undefined;
    if (options.accel && !isBoot) {
      const { range, 'accept-encoding': acceptEncoding } = request.headers;
      const words = acceptEncoding === undefined ? undefined : String(acceptEncoding);
      give(response, await tellNginx({ method: String(method), target: url, range, acceptEncoding: words, address }));
      return;
    }
    if (image === undefined && !isBoot) {
      redirectHere(request, response);
      return;
    }
    if (method !== 'GET' && method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      refuse(response, 405, 'only GET and HEAD');
      return;
    }
    const id = options.nextId();
    if (image !== undefined) {
      const report = new DownloadReport(options.report, id, address, image.name);
      const path = `${options.imagesDir}/sha256/${image.digest}`;
      if (await isDamaged(options.imagesDir, image.digest, lookAt(path))) {
        give(response, damaged(report));
        return;
      }
      await serveImage({ method, request, response, report, etag: image.digest }, path);
      return;
    }
    const found = await options.bootFile(url, method, address);
    // The next request is the script, which another process answers: a new connection finds it without a detour.
    response.setHeader('Connection', 'close');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    response.setHeader('Cache-Control', 'no-store');
    if (found.kind === 'none') {
      refuse(response, found.status, found.reason);
    } else if (found.kind === 'text') {
      const { contentType, text } = found;
      response.writeHead(200, { 'Content-Type': contentType, 'Content-Length': Buffer.byteLength(text) });
      response.end(method === 'HEAD' ? undefined : text);
    } else {
      const report = new DownloadReport(options.report, id, address, found.name);
      await withFile(found.path, response, report, async (file) => {
        await assertSamePath(file, found.path);
        await answer({ method, request, response, report, contentType: found.contentType, etag: file.stamp }, file);
      });
    }
  };

  /** A precompressed variant beside the image, if there is one that the client takes; else the image. */
  async function serveImage(context: Omit<Context, 'contentType'>, path: string): Promise<void> {
    const { request, response, report } = context;
    for (const [name, value] of KEPT_FOR_EVER) response.setHeader(name, value);
    const whole = { ...context, contentType: 'application/octet-stream' };
    for (const encoding of chooseVariant(request.headers['accept-encoding'])) {
      const { suffix } = ENCODINGS[encoding];
      const variant = { ...whole, encoding, etag: context.etag + suffix };
      const served = await files
        .with(path + suffix, async (file) => {
          await answer(variant, file);
          return true;
        })
        .catch((error: unknown) => {
          // No such variant, or one that cannot be opened: the image itself is as good.
          if (response.headersSent) throw error;
          return false;
        });
      if (served) return;
    }
    await withFile(path, response, report, (file) => answer(whole, file));
  }

  async function withFile(
    path: string,
    response: ServerResponse,
    report: DownloadReport,
    use: (file: OpenFile) => Promise<void>,
  ): Promise<void> {
    try {
      await files.with(path, use);
    } catch (error) {
      // A fault after the head is the download's own, told by `answer`.
      if (response.headersSent) throw error;
      const [status, reason] = openProblem(error);
      if (status === 503) response.setHeader('Retry-After', '2');
      refuse(response, status, reason);
      report.end('failed', status, 0, 0, reason);
    }
  }

  async function answer(context: Context, { handle, size }: OpenFile): Promise<void> {
    const { method, request, response, report, encoding, contentType } = context;
    const etag = `"${context.etag}"`;
    const download = decideDownload(method, request.headers, size, etag);
    response.setHeader('ETag', etag);
    response.setHeader('Accept-Ranges', 'bytes');
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
    if (encoding !== undefined) response.setHeader('Content-Encoding', encoding);
    response.writeHead(download.status, { 'Content-Type': contentType, 'Content-Length': length });
    if (method === 'HEAD') {
      response.end();
      report.end('probed', 200, 0, size);
      return;
    }
    report.begin(download.status, length, download.status === 200 || length >= SMALLEST_PART_TOLD);
    try {
      await options.sendBody(response, {
        handle,
        first: download.first,
        length,
        onBytes: (bytes) => report.progress(bytes),
      });
      report.end('sent', download.status, length, length);
    } catch (error) {
      report.end('failed', download.status, undefined, length, reasonOf(error));
      // The length was promised; only the end of the connection tells that it cannot be kept.
      response.destroy();
    }
  }
}

interface Context {
  readonly method: Method;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly report: DownloadReport;
  readonly contentType: string;
  /** Without its quotes. */
  readonly etag: string;
  readonly encoding?: Encoding;
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function openProblem(error: unknown): readonly [number, string] {
  const code = codeOf(error);
  if (code === 'ENOENT') return [404, 'no file with this sha256 is here'];
  if (code === 'EMFILE' || code === 'ENFILE')
    return [503, 'too many downloads at once (no file descriptor left): try again'];
  return [500, `the file cannot be opened (${code === '' && error instanceof Error ? error.message : code})`];
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return ['EPIPE', 'ECONNRESET', 'ERR_STREAM_DESTROYED'].includes(codeOf(error)) ? CLIENT_LEFT : error.message;
}

/** Fields that were set for the file do not hold for what is said instead of it. */
export function refuse(response: ServerResponse, status: number, reason: string): void {
  give(response, refusal(status, reason));
}

function give(response: ServerResponse, { status, reason, head, body }: NginxAnswer): void {
  for (const name of ['Cache-Control', 'Vary']) response.removeHeader(name);
  for (let i = 0; i < head.length; i += 2) response.setHeader(head[i] ?? '', head[i + 1] ?? '');
  response.writeHead(status, reason, { 'Content-Length': Buffer.byteLength(body) }).end(body);
}
