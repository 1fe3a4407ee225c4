import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import type { Digest } from '../domain/digest.js';
import { isSealed, seal } from './seal.js';

/** `damaged`: it was moved to quarantine, so that nobody can be given it. */
export type FileState = 'ok' | 'damaged' | 'missing';

export interface CheckOptions {
  /** Reads every byte, even of a file that shows no sign of a change. */
  readonly whole?: boolean;
  /** Bytes read so far. */
  readonly onProgress?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

const PIECE = 1 << 20;
const running = new Map<string, Promise<FileState>>();
/** Whole files that this process may not seal (restored by root, a read-only disk), by path: what they were when they were read. */
const unsealable = new Map<string, string>();

/**
 * Is `DIR/sha256/DIGEST` still what its name says? One look when nothing has written to it, else all of it is read: whole again
 * (a restored backup) it is sealed, otherwise it goes to `DIR/quarantine`. Processes may do this at the same time: the digest
 * decides, and a rename is one step. Two questions about one file in one process are answered by one reading.
 */
export function checkFile(dir: string, digest: Digest, options: CheckOptions = {}): Promise<FileState> {
  const key = `${options.whole === true} ${dir} ${digest}`;
  const known = running.get(key);
  if (known !== undefined) return known;
  const check = look(dir, digest, options).finally(() => running.delete(key));
  running.set(key, check);
  return check;
}

async function look(dir: string, digest: Digest, options: CheckOptions): Promise<FileState> {
  const path = `${dir}/sha256/${digest}`;
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'missing';
    // A link, or a file that may not be opened, is not what the store put there.
    if (codeOf(error) === 'ELOOP') return await quarantine(dir, digest, undefined);
    throw error;
  }
  try {
    const stat = await file.stat();
    if (!stat.isFile()) return await quarantine(dir, digest, stat.ino);
    const looks = [stat.dev, stat.ino, stat.size, stat.mtimeMs, stat.ctimeMs].join(' ');
    if (options.whole !== true && (isSealed(stat) || unsealable.get(path) === looks)) return 'ok';
    const found = await digestOf(file, options).catch((error: unknown) => {
      // A disk that cannot read its own sectors: as bad as other bytes.
      if (codeOf(error) === 'EIO') return 'unreadable';
      throw error;
    });
    if (found !== digest) return await quarantine(dir, digest, stat.ino);
    if (isSealed(stat)) return 'ok';
    try {
      await seal(path);
    } catch (error) {
      if (!['EPERM', 'EACCES', 'EROFS'].includes(codeOf(error))) throw error;
      unsealable.set(path, looks);
    }
    return 'ok';
  } finally {
    await file.close();
  }
}

async function digestOf(file: FileHandle, { onProgress, signal }: CheckOptions): Promise<string> {
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafeSlow(PIECE);
  let done = 0;
  for (;;) {
    signal?.throwIfAborted();
    const { bytesRead } = await file.read(piece, 0, piece.length, done);
    if (bytesRead === 0) return hash.digest('hex');
    hash.update(piece.subarray(0, bytesRead));
    done += bytesRead;
    onProgress?.(done);
  }
}

/**
 * With what was made of it (`DIGEST.gz`). The folder is the record: it outlives a restart. `inode`: which file was found damaged; if
 * an import has put a new one in its place meanwhile, that one stays.
 */
async function quarantine(dir: string, digest: Digest, inode: number | undefined): Promise<FileState> {
  const path = `${dir}/sha256/${digest}`;
  await mkdir(`${dir}/quarantine`, { recursive: true });
  try {
    if (inode !== undefined && (await lstat(path)).ino !== inode) return 'ok';
    await rename(path, `${dir}/quarantine/${digest}`);
  } catch (error) {
    // Another process was faster.
    if (codeOf(error) !== 'ENOENT') throw error;
  }
  for (const name of await readdir(`${dir}/sha256`)) {
    if (name.startsWith(`${digest}.`)) await rm(`${dir}/sha256/${name}`, { force: true });
  }
  return 'damaged';
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
