import { createHash, randomUUID } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { type Digest, parseDigest } from '../domain/digest.js';
import { invalid, unavailable } from '../domain/errors.js';

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
}

/**
 * Files by what is in them: `DIR/sha256/HEX`. A name appears only when all its bytes are on the disk (written aside, synced,
 * renamed), so a reader never sees half a file, and a crash leaves nothing but a file in `DIR/incoming`, removed at the next start.
 */
export interface ImageStore {
  /** Takes a stream in. Rejects with `invalid` when the bytes are not the expected ones, `unavailable` when the disk fails. */
  import(source: Readable, options?: ImportOptions): Promise<StoredFile>;
  importFile(path: string, options?: ImportOptions): Promise<StoredFile>;
  /** Undefined = not here. */
  pathOf(digest: Digest): Promise<{ readonly path: string; readonly size: number } | undefined>;
  /** Bytes; undefined = not here. */
  size(digest: Digest): Promise<number | undefined>;
  /** Reads the whole file. */
  verify(digest: Digest): Promise<'ok' | 'mismatch' | 'missing'>;
  /** Nothing happens when it is not here. Who is reading it reads on. */
  remove(digest: Digest): Promise<void>;
  list(): Promise<readonly StoredFile[]>;
}

/** Opens the store in `dir` (made when missing). One server at a time: it removes what an earlier one left half written. */
export async function createImageStore(dir: string): Promise<ImageStore> {
  const files = `${dir}/sha256`;
  // Beside the files, not in /tmp: only within one file system is a rename atomic.
  const incoming = `${dir}/incoming`;
  await mkdir(files, { recursive: true });
  await rm(incoming, { recursive: true, force: true });
  await mkdir(incoming);

  const pathFor = (digest: Digest): string => `${files}/${digest}`;

  const store: ImageStore = {
    async import(source, options = {}) {
      const temporary = `${incoming}/${randomUUID()}`;
      try {
        const stored = await writeAside(source, temporary, options.onProgress);
        const { expectedDigest } = options;
        if (expectedDigest !== undefined && expectedDigest !== stored.digest) {
          throw invalid(`the sha256 of these ${stored.size} bytes is ${stored.digest}, not ${expectedDigest}`, {
            field: 'digest',
            remedy: 'send the file again, or give the digest of this one',
          });
        }
        // Over a file of the same name too: its bytes are the same, or they were damaged and are now whole again.
        await rename(temporary, pathFor(stored.digest));
        await syncFolder(files);
        return stored;
      } catch (error) {
        await rm(temporary, { force: true });
        throw diskError(error);
      }
    },

    importFile(path, options) {
      return store.import(createReadStream(path, { highWaterMark: 1 << 20 }), options);
    },

    async pathOf(digest) {
      const path = pathFor(digest);
      const found = await stat(path).catch(absent);
      return found?.isFile() === true ? { path, size: found.size } : undefined;
    },

    async size(digest) {
      return (await store.pathOf(digest))?.size;
    },

    async verify(digest) {
      const found = await store.pathOf(digest);
      if (found === undefined) return 'missing';
      const hash = createHash('sha256');
      for await (const chunk of createReadStream(found.path, { highWaterMark: 1 << 20 })) hash.update(chunk);
      return hash.digest('hex') === digest ? 'ok' : 'mismatch';
    },

    async remove(digest) {
      await rm(pathFor(digest), { force: true });
      await syncFolder(files);
    },

    async list() {
      const found: StoredFile[] = [];
      for (const name of (await readdir(files)).sort()) {
        if (!/^[0-9a-f]{64}$/.test(name)) continue;
        const digest = parseDigest(name);
        const size = await store.size(digest);
        if (size !== undefined) found.push({ digest, size });
      }
      return found;
    },
  };
  return store;
}

/** Resolves when the bytes are on the disk. */
async function writeAside(
  source: Readable,
  path: string,
  onProgress: ((bytes: number) => void) | undefined,
): Promise<StoredFile> {
  const hash = createHash('sha256');
  const handle = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL);
  let size = 0;
  try {
    for await (const chunk of source) {
      const bytes: Buffer = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      hash.update(bytes);
      await writeAll(handle, bytes);
      size += bytes.length;
      onProgress?.(size);
    }
    // Whatever the umask: the process that streams the files may run as another user.
    await handle.chmod(0o644);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return { digest: parseDigest(hash.digest('hex')), size };
}

async function writeAll(handle: FileHandle, bytes: Buffer): Promise<void> {
  let done = 0;
  while (done < bytes.length) done += (await handle.write(bytes, done)).bytesWritten;
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
