import { randomUUID } from 'node:crypto';
import { lstatSync, type Stats } from 'node:fs';
import { parseDigest } from '../domain/digest.js';
import { andThen, type MaybePromise } from '../domain/maybe-promise.js';
import { checkFile } from './check-file.js';
import { decideDownload } from './download.js';
import { DownloadReport } from './download-report.js';
import { chooseVariant, ENCODINGS, type Encoding } from './encodings.js';
import { imageOfTarget } from './image-url.js';
import { ACCEL_PREFIX, DOWNLOAD_HEADER } from './nginx-config.js';
import { isSealed } from './seal.js';
import type { StreamReport } from './stream-messages.js';

/** Programs that mount an image over HTTP ask for small pieces by the thousand; those are no news for the timeline. */
export const SMALLEST_PART_TOLD = 1 << 20;

/** Of images: the name is the content. */
export const KEPT_FOR_EVER = [
  ['Vary', 'Accept-Encoding'],
  ['Cache-Control', 'public, max-age=31536000, immutable'],
] as const;

/** What a client asks nginx for. */
export interface ImageQuestion {
  readonly method: string;
  readonly target: string;
  readonly range?: string | undefined;
  readonly acceptEncoding?: string | undefined;
  readonly address: string;
}

/** What nginx is told. `reason`: of the status line, which is all that busybox wget prints; `head`: names and values in turn. */
export interface NginxAnswer {
  readonly status: number;
  readonly reason: string;
  readonly head: readonly string[];
  readonly body: string;
}

export interface NginxAnswersOptions {
  readonly imagesDir: string;
  readonly report: (report: StreamReport) => void;
  /** Numbers of the downloads of this process. */
  readonly nextId: () => number;
}

/** Tells nginx which file to send (X-Accel-Redirect), and the timeline what begins. */
export function createNginxAnswers({ imagesDir, report: tell, nextId }: NginxAnswersOptions) {
  return (question: ImageQuestion): MaybePromise<NginxAnswer> => {
    const { method, target, address } = question;
    const image = imageOfTarget(target);
    // nginx and we read a name in two ways, as with %xx in it; there it would come here again.
    if (image === undefined) return refusal(404, 'no image has this name: write its digest as it is');
    if (method !== 'GET' && method !== 'HEAD') return refusal(405, 'only GET and HEAD', ['Allow', 'GET, HEAD']);
    const report = new DownloadReport(tell, nextId(), address, image.name);
    const path = `${imagesDir}/sha256/${image.digest}`;
    const look = lookAt(path);
    return andThen(isDamaged(imagesDir, image.digest, look), (isBad) =>
      isBad ? damaged(report) : answerFound({ ...question, method }, report, path, image.digest, look),
    );
  };

  function answerFound(
    { method, range, acceptEncoding }: ImageQuestion & { readonly method: 'GET' | 'HEAD' },
    report: DownloadReport,
    path: string,
    digest: string,
    look: Stats | undefined,
  ): NginxAnswer {
    let file = digest;
    let size = look?.size;
    let coded: Encoding | undefined;
    for (const encoding of chooseVariant(acceptEncoding)) {
      const variant = lookAt(path + ENCODINGS[encoding].suffix);
      if (variant === undefined) continue;
      file = digest + ENCODINGS[encoding].suffix;
      size = variant.size;
      coded = encoding;
      break;
    }
    if (size === undefined) {
      const reason = 'no file with this sha256 is here';
      report.end('failed', 404, 0, 0, reason);
      return refusal(404, reason);
    }
    // nginx opens the file itself, and has an ETag of its own that the conditions of the client are about.
    const download = decideDownload(method, range === undefined ? {} : { range }, size, '');
    if (download.status === 416) return refusal(416, download.reason, ['Content-Range', `bytes */${size}`]);
    const length = 'first' in download ? download.last - download.first + 1 : size;
    const token = randomUUID().replaceAll('-', '');
    const told = method === 'GET' && (length === size || length >= SMALLEST_PART_TOLD);
    const head = ['X-Accel-Redirect', ACCEL_PREFIX + file, 'Content-Type', 'application/octet-stream'];
    for (const [name, value] of KEPT_FOR_EVER) head.push(name, value);
    if (told) head.push(DOWNLOAD_HEADER, token);
    if (coded !== undefined) head.push('Content-Encoding', coded);
    if (method === 'HEAD') report.end('probed', 200, 0, size);
    else if (told) report.begin(download.status, length, true, token);
    return { status: 200, reason: 'OK', head, body: '' };
  }
}

/** Something may have written to it since it came in: then it is read whole before a byte of it is given away. */
export function isDamaged(imagesDir: string, digest: string, look: Stats | undefined): MaybePromise<boolean> {
  if (look !== undefined && isSealed(look)) return false;
  return checkFile(imagesDir, parseDigest(digest)).then((state) => state === 'damaged');
}

/** What a download of a file is told that is not what its name says. */
export function damaged(report: DownloadReport): NginxAnswer {
  const reason = 'this image is damaged on the server: import it again';
  report.end('failed', 500, 0, 0, reason);
  return refusal(500, reason);
}

/** The reason stands in the status line too: busybox wget prints nothing else. */
export function refusal(status: number, reason: string, head: readonly string[] = []): NginxAnswer {
  return {
    status,
    reason: reason.replace(/[^\x20-\x7e]/g, '?').slice(0, 200),
    head: ['Content-Type', 'text/plain; charset=utf-8', ...head],
    body: `${reason}\n`,
  };
}

/**
 * A regular file, or undefined. Without a promise: what a room asks for is in the kernel's memory, and a way through Node's threads
 * and back cost several times as much as all the rest of an answer to nginx.
 */
export function lookAt(path: string): Stats | undefined {
  try {
    const stat = lstatSync(path);
    return stat.isFile() ? stat : undefined;
  } catch {
    // Who opens it next tells what is wrong.
    return undefined;
  }
}
