import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { Digest } from '../domain/digest.js';
import { AnybiosError, conflict, invalid, unavailable } from '../domain/errors.js';
import { shownUrl } from '../domain/shown-url.js';
import { type Answer, openUrl } from './open-url.js';
import type { ImageStore, StoredFile } from './store.js';
import { writeAside } from './write-aside.js';

export interface FetchRequest {
  /** http or https. */
  readonly url: string;
  readonly expectedDigest?: Digest;
  readonly maxBytes: number;
}

export interface FetchedFile extends StoredFile {
  /** Where the bytes came from in the end, as `shownUrl` has it. */
  readonly url: string;
  /** The address that sent them: a name may lead into one's own network. */
  readonly address: string;
}

export interface FetchOptions {
  readonly onProgress?: (progress: { readonly bytes: number; readonly total?: number; readonly from: string }) => void;
  readonly signal?: AbortSignal;
  /** Before the first new try; doubled for each further one. */
  readonly pauseMs?: number;
}

/** What the part on disk belongs to: a server may have put another file there meanwhile. */
interface PartNote {
  readonly url: string;
  /** ETag or Last-Modified, for If-Range. */
  readonly validator: string;
}

/** Tries in a row that bring no byte. */
const TRIES = 5;
const running = new Set<string>();

/**
 * Downloads a URL into the store. A connection that breaks is opened again and the download goes on where it stopped (Range with
 * If-Range), also when a later import asks for the same URL; `DIR/partial` holds the part meanwhile. Rejects with `invalid` (other
 * bytes than expected, too many, not there) or `unavailable` (no connection in the end).
 */
export async function fetchFile(
  dir: string,
  store: ImageStore,
  request: FetchRequest,
  options: FetchOptions = {},
): Promise<FetchedFile> {
  const key = createHash('sha256').update(request.url).digest('hex');
  if (running.has(key)) throw conflict(`${shownUrl(request.url)} is being downloaded already`);
  running.add(key);
  try {
    await mkdir(`${dir}/partial`, { recursive: true });
    return await fetchInto(`${dir}/partial/${key}`, store, request, options);
  } finally {
    running.delete(key);
  }
}

async function fetchInto(
  path: string,
  store: ImageStore,
  { url, expectedDigest, maxBytes }: FetchRequest,
  { onProgress, signal, pauseMs = 1000 }: FetchOptions,
): Promise<FetchedFile> {
  let fruitless = 0;
  for (;;) {
    signal?.throwIfAborted();
    const before = await partOf(path, url);
    let answer: Answer | undefined;
    try {
      answer = await openUrl(url, { have: before.bytes, validator: before.validator, signal });
      const { total, from, address } = answer;
      if (total !== undefined && total > maxBytes) throw tooLarge(url, total, maxBytes);
      const append = answer.continues;
      if (!append) await dropPart(path);
      if (answer.validator !== undefined) {
        const note: PartNote = { url, validator: answer.validator };
        // The URL may hold a password or a signature.
        await writeFile(`${path}.json`, JSON.stringify(note), { mode: 0o600 });
      }
      const progress = (bytes: number): void =>
        onProgress?.({ bytes, from, ...(total === undefined ? {} : { total }) });
      progress(append ? before.bytes : 0);
      const written = await writeAside(answer.body, path, {
        append,
        maxBytes,
        onProgress: progress,
        ...(signal === undefined ? {} : { signal }),
      });
      const stored = await store.adopt(path, written, expectedDigest === undefined ? {} : { expectedDigest });
      await dropPart(path);
      return { ...stored, url: from, address };
    } catch (error) {
      answer?.body.destroy();
      if (error instanceof AnybiosError && error.code === 'invalid') await dropPart(path);
      if (signal?.aborted === true || (error instanceof AnybiosError && error.code !== 'unavailable')) throw error;
      const after = await partOf(path, url);
      fruitless = after.bytes > before.bytes ? 0 : fruitless + 1;
      if (fruitless >= TRIES || (error instanceof AnybiosError && answer !== undefined)) throw notFetched(url, error);
      await pause(pauseMs * 2 ** fruitless, undefined, signal === undefined ? {} : { signal });
    }
  }
}

/** Bytes of an earlier try that can be gone on with. */
async function partOf(path: string, url: string): Promise<{ readonly bytes: number; readonly validator?: string }> {
  try {
    const note = JSON.parse(await readFile(`${path}.json`, 'utf8')) as PartNote;
    const { size } = await stat(path);
    if (note.url === url && size > 0) return { bytes: size, validator: note.validator };
  } catch (error) {
    // No part, or one whose note was cut off by a crash: from the beginning.
    if (!(error instanceof SyntaxError) && !(error instanceof Error && 'code' in error)) throw error;
  }
  return { bytes: 0 };
}

async function dropPart(path: string): Promise<void> {
  await rm(path, { force: true });
  await rm(`${path}.json`, { force: true });
}

/** Bytes of parts that nobody went on with for `quietMs`; removed unless `dryRun`. */
export async function clearPartial(dir: string, quietMs: number, dryRun: boolean): Promise<number> {
  const folder = `${dir}/partial`;
  await mkdir(folder, { recursive: true });
  let bytes = 0;
  for (const name of await readdir(folder)) {
    if (running.has(name.replace(/\.json$/, ''))) continue;
    const { size, mtimeMs } = await stat(`${folder}/${name}`);
    if (Date.now() - mtimeMs < quietMs) continue;
    bytes += size;
    if (!dryRun) await rm(`${folder}/${name}`, { force: true });
  }
  return bytes;
}

function tooLarge(url: string, total: number, maxBytes: number): AnybiosError {
  return invalid(`${shownUrl(url)} has ${total} bytes, ${maxBytes} are allowed`, {
    field: 'url',
    remedy: 'check what it is, and allow more with a larger limit',
  });
}

function notFetched(url: string, error: unknown): unknown {
  if (error instanceof AnybiosError && !error.message.startsWith('no answer')) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return unavailable(`${shownUrl(url)} could not be downloaded: ${reason}`, {
    remedy: 'see that the server of this computer reaches it, and import again: it goes on where it stopped',
    cause: error,
  });
}
