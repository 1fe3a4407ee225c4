import { randomUUID } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { type Digest, parseDigest } from '../domain/digest.js';
import { invalid, unavailable } from '../domain/errors.js';
import { type CheckOptions, checkFile, type FileState } from './check-file.js';
import { writeAside } from './write-aside.js';

export interface StoredFile {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

export interface ImportOptions {
  /** Other bytes are refused, and nothing is kept of them. */
  readonly expectedDigest?: Digest;
  /** Called as bytes come in, with their number so far. */
  readonly onProgress?: (bytes: number) => void;
  /** More bytes than these are refused. */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
}

/**
 * Files by what is in them: `DIR/sha256/HEX`. A name appears only when all its bytes are on the disk (written aside, synced,
 * renamed), so a reader never sees half a file, and a crash leaves nothing but a file in `DIR/incoming`, removed at the next start.
 * Damaged files are moved to `DIR/quarantine`; parts of downloads that can go on wait in `DIR/partial`.
 */
export interface ImageStore {
  /** Takes a stream in. Rejects with `invalid` when the bytes are not the expected ones, `unavailable` when the disk fails. */
  import(source: Readable, options?: ImportOptions): Promise<StoredFile>;
  importFile(path: string, options?: ImportOptions): Promise<StoredFile>;
  /** Takes over a whole, sealed file of this file system: it is renamed. */
  adopt(path: string, file: StoredFile, options?: ImportOptions): Promise<StoredFile>;
  /** Undefined = not here, or damaged. One that was written to is read whole first. */
  pathOf(digest: Digest): Promise<{ readonly path: string; readonly size: number } | undefined>;
  /** Bytes; undefined = not here. */
  size(digest: Digest): Promise<number | undefined>;
  /** Reads the whole file; a damaged one is in quarantine afterwards. */
  verify(digest: Digest, options?: CheckOptions): Promise<FileState>;
  /** Nothing happens when it is not here. Who is reading it reads on. `quietMs`: only if it came in longer ago than this. */
  remove(digest: Digest, options?: { readonly quietMs?: number }): Promise<boolean>;
  list(): Promise<readonly StoredFile[]>;
  /** Damaged files that were not imported again. */
  quarantined(): Promise<readonly Digest[]>;
}

/** Opens the store in `dir` (made when missing). One server at a time: it removes what an earlier one left half written. */
export async function createImageStore(dir: string): Promise<ImageStore> {
  const files = `${dir}/sha256`;
  const quarantine = `${dir}/quarantine`;
  // Beside the files, not in /tmp: only within one file system is a rename atomic.
  const incoming = `${dir}/incoming`;
  await mkdir(files, { recursive: true });
  await mkdir(quarantine, { recursive: true });
  await rm(incoming, { recursive: true, force: true });
  await mkdir(incoming);

  const pathFor = (digest: Digest): string => `${files}/${digest}`;
  // A file that comes in and the same one being removed as unused: one after the other, or the removal takes the new one.
  let last: Promise<unknown> = Promise.resolve();
  const oneByOne = <T>(task: () => Promise<T>): Promise<T> => {
    const result = last.then(task);
    last = result.catch(() => undefined);
    return result;
  };

  const store: ImageStore = {
    async import(source, options = {}) {
      const temporary = `${incoming}/${randomUUID()}`;
      try {
        return await store.adopt(temporary, await writeAside(source, temporary, options), options);
      } catch (error) {
        await rm(temporary, { force: true });
        throw diskError(error);
      }
    },

    importFile(path, options) {
      return store.import(createReadStream(path, { highWaterMark: 1 << 20 }), options);
    },

    async adopt(path, stored, { expectedDigest } = {}) {
      if (expectedDigest !== undefined && expectedDigest !== stored.digest) {
        throw invalid(`the sha256 of these ${stored.size} bytes is ${stored.digest}, not ${expectedDigest}`, {
          field: 'digest',
          remedy: 'send the file again, or give the digest of this one',
        });
      }
      return oneByOne(async () => {
        // Over a file of the same name too: its bytes are the same, or they were damaged and are now whole again.
        await rename(path, pathFor(stored.digest));
        await syncFolder(files);
        await rm(`${quarantine}/${stored.digest}`, { force: true });
        return stored;
      });
    },

    async pathOf(digest) {
      if ((await checkFile(dir, digest)) !== 'ok') return undefined;
      const path = pathFor(digest);
      const size = await store.size(digest);
      return size === undefined ? undefined : { path, size };
    },

    async size(digest) {
      const found = await stat(pathFor(digest)).catch(absent);
      return found?.isFile() === true ? found.size : undefined;
    },

    verify(digest, options) {
      return checkFile(dir, digest, { ...options, whole: true });
    },

    remove(digest, { quietMs = 0 } = {}) {
      return oneByOne(async () => {
        const found = await stat(pathFor(digest)).catch(absent);
        // The rename that brought it in changed the inode; nothing does it later. That time may lie after Date.now(): whole
        // milliseconds, and a clock can be set back.
        const isFresh = found !== undefined && quietMs > 0 && Date.now() - found.ctimeMs < quietMs;
        if (isFresh) return false;
        for (const name of await readdir(files)) {
          if (name === digest || name.startsWith(`${digest}.`)) await rm(`${files}/${name}`, { force: true });
        }
        await rm(`${quarantine}/${digest}`, { force: true });
        await syncFolder(files);
        return found !== undefined;
      });
    },

    async list() {
      const found: StoredFile[] = [];
      for (const digest of await digestsIn(files)) {
        const size = await store.size(digest);
        if (size !== undefined) found.push({ digest, size });
      }
      return found;
    },

    async quarantined() {
      const whole = new Set(await digestsIn(files));
      return (await digestsIn(quarantine)).filter((digest) => !whole.has(digest));
    },
  };
  return store;
}

async function digestsIn(folder: string): Promise<Digest[]> {
  const names = (await readdir(folder)).filter((name) => /^[0-9a-f]{64}$/.test(name)).sort();
  return names.map((name) => parseDigest(name));
}

/** A rename is on the disk only when its folder is. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function absent(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
  throw error;
}

const DISK_PROBLEMS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  EIO: 'the disk fails',
};

function diskError(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const problem = DISK_PROBLEMS[code];
  if (problem === undefined) return error;
  return unavailable(`the file could not be stored: ${problem}`, {
    remedy: 'make room under dataDir, then send the file again',
    cause: error,
  });
}
