import { createHash, type Hash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { type FileHandle, open, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { type Digest, parseDigest } from '../domain/digest.js';
import { invalid, unavailable } from '../domain/errors.js';
import { seal } from './seal.js';

export interface WriteOptions {
  /** Called as bytes come in, with their number so far. */
  readonly onProgress?: (bytes: number) => void;
  /** More bytes than these are refused. */
  readonly maxBytes?: number;
  /** Go on behind what the file holds already; that is read again for the digest. */
  readonly append?: boolean;
  readonly signal?: AbortSignal;
}

/** On disk at once: a sync of gigabytes at the end would make the database's own syncs wait behind it, and leases with them. */
const SYNC_EVERY = 16 << 20;
/** Leases are written to the same disk as images: so much of it is never filled by an import. */
const FREE_KEPT = 256 << 20;

/** Writes a stream into `path` and answers what it holds now. Resolves when all is on the disk; the file is sealed. */
export async function writeAside(
  source: Readable,
  path: string,
  options: WriteOptions = {},
): Promise<{ readonly digest: Digest; readonly size: number }> {
  const { onProgress, maxBytes = Number.POSITIVE_INFINITY, signal } = options;
  const hash = createHash('sha256');
  // One that fails before the loop below reads it: the loop throws that error then.
  source.on('error', () => undefined);
  let size = options.append === true ? await hashExisting(path, hash) : 0;
  const handle = await open(
    path,
    constants.O_WRONLY | constants.O_CREAT | (options.append === true ? constants.O_APPEND : constants.O_EXCL),
    0o600,
  );
  let unsynced = 0;
  try {
    await refuseFullDisk(path);
    for await (const chunk of source) {
      signal?.throwIfAborted();
      const bytes: Buffer = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      if (size + bytes.length > maxBytes) {
        throw invalid(`it has more than the ${maxBytes} bytes that are allowed`, {
          remedy: 'check what it is, and allow more with a larger limit',
        });
      }
      hash.update(bytes);
      await writeAll(handle, bytes);
      size += bytes.length;
      unsynced += bytes.length;
      if (unsynced >= SYNC_EVERY) {
        unsynced = 0;
        await handle.datasync();
        await refuseFullDisk(path);
      }
      onProgress?.(size);
    }
    // Whatever the umask: the process that streams the files may run as another user. Nobody has a reason to write.
    await handle.chmod(0o444);
    await seal(handle);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return { digest: parseDigest(hash.digest('hex')), size };
}

async function hashExisting(path: string, hash: Hash): Promise<number> {
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk);
  return (await stat(path)).size;
}

async function writeAll(handle: FileHandle, bytes: Buffer): Promise<void> {
  let done = 0;
  while (done < bytes.length) done += (await handle.write(bytes, done)).bytesWritten;
}

async function refuseFullDisk(path: string): Promise<void> {
  const { bavail, bsize } = await statfs(dirname(path));
  if (bavail * bsize >= FREE_KEPT) return;
  throw unavailable('the file could not be stored: the disk of dataDir is nearly full', {
    remedy: `make room: anybios image gc, or a larger disk (${FREE_KEPT >> 20} MiB are kept free for leases and events)`,
  });
}
