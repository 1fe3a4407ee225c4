import { constants } from 'node:fs';
import { type FileHandle, open, readlink } from 'node:fs/promises';

/** A file that is being sent, shared by all who get it. */
export interface OpenFile {
  readonly handle: FileHandle;
  /** Bytes. */
  readonly size: number;
  /** Changes with the file: for an ETag of one that is not known by its digest. */
  readonly stamp: string;
}

interface Entry {
  readonly opened: Promise<OpenFile>;
  users: number;
}

/**
 * Open files by path, one descriptor for each however many downloads it has. A file is opened anew when the last one has ended, so
 * that one that was replaced or removed is not kept.
 */
export class OpenFiles {
  readonly #entries = new Map<string, Entry>();

  /** Calls `use` with the file and closes it after the last user. Rejects as open(2) does; a link is ELOOP. */
  async with<T>(path: string, use: (file: OpenFile) => Promise<T>): Promise<T> {
    const entry = this.#entries.get(path) ?? { opened: openRegular(path), users: 0 };
    this.#entries.set(path, entry);
    entry.users += 1;
    try {
      return await use(await entry.opened);
    } finally {
      entry.users -= 1;
      if (entry.users === 0) {
        this.#entries.delete(path);
        await entry.opened.then(
          ({ handle }) => handle.close(),
          () => undefined,
        );
      }
    }
  }
}

/** O_NONBLOCK: opening a named pipe must not wait for its writer. */
async function openRegular(path: string): Promise<OpenFile> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw new Error('not a regular file');
    // The time of the last change of anything about it: that of its bytes can be set to what it was.
    const stamp = [stat.ino, stat.size, Math.round(stat.ctimeMs * 1000)].map((part) => part.toString(36)).join('-');
    return { handle, size: stat.size, stamp };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Throws when what was opened is not the file of this path, all links resolved: /proc tells the real one. */
export async function assertSamePath({ handle }: OpenFile, path: string): Promise<void> {
  if ((await readlink(`/proc/self/fd/${handle.fd}`)) !== path)
    throw new Error('the file was replaced while it was opened');
}
