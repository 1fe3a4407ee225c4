import { constants } from 'node:fs';
import { type FileHandle, open, readlink } from 'node:fs/promises';
import { toNetascii } from '../wire/tftp/netascii.js';
import type { TransferSource } from './messages.js';

/** Read at once and kept; larger blocks are read one by one. */
const CHUNK_BYTES = 64 * 1024;
/** Netascii changes the length, so such a text is converted before its first block goes out. */
const NETASCII_LIMIT = 1 << 20;

/** What a transfer reads its blocks from. */
export interface BlockSource {
  /** Bytes. */
  readonly size: number;
  /**
   * `length` bytes at `offset`, fewer only at the end of the file. At once when they are in memory. Rejects when the file cannot be
   * read or has become shorter. The bytes stay as they are until nobody refers to them: a datagram may wait in a queue.
   */
  read(offset: number, length: number): Uint8Array | Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Opens what was resolved. Throws an error with a message for the client. */
export async function openBlockSource(source: TransferSource, mode: 'octet' | 'netascii'): Promise<BlockSource> {
  const opened = source.kind === 'bytes' ? bytesSource(source.bytes) : await fileSource(source.path);
  if (mode === 'octet') return opened;
  try {
    if (opened.size > NETASCII_LIMIT) throw new Error('netascii is for texts up to 1 MiB: ask in octet mode');
    return bytesSource(toNetascii(await opened.read(0, opened.size)));
  } finally {
    await opened.close();
  }
}

function bytesSource(bytes: Uint8Array): BlockSource {
  return {
    size: bytes.length,
    read: (offset, length) => bytes.subarray(offset, offset + length),
    close: () => Promise.resolve(),
  };
}

/**
 * The path was found inside its folder a moment ago and has no link on the way. The file that gets opened must still be that one:
 * O_NOFOLLOW and /proc see to it. O_NONBLOCK: a named pipe put there would block the thread.
 */
async function fileSource(path: string): Promise<BlockSource> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw new Error('not a regular file');
    if ((await readlink(`/proc/self/fd/${handle.fd}`)) !== path) throw new Error('the file was replaced meanwhile');
    return new FileSource(handle, stat.size);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

class FileSource implements BlockSource {
  readonly size: number;
  readonly #handle: FileHandle;
  #chunk = new Uint8Array();
  #chunkAt = 0;

  constructor(handle: FileHandle, size: number) {
    this.#handle = handle;
    this.size = size;
  }

  read(offset: number, length: number): Uint8Array | Promise<Uint8Array> {
    const end = Math.min(offset + length, this.size);
    if (offset >= this.#chunkAt && end <= this.#chunkAt + this.#chunk.length) {
      return this.#chunk.subarray(offset - this.#chunkAt, end - this.#chunkAt);
    }
    return this.#load(offset, end);
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  async #load(offset: number, end: number): Promise<Uint8Array> {
    const wanted = Math.max(end - offset, Math.min(CHUNK_BYTES, this.size - offset));
    // A new one each time: the last chunk may still be on its way out.
    const chunk = new Uint8Array(wanted);
    let filled = 0;
    while (filled < wanted) {
      const { bytesRead } = await this.#handle.read(chunk, filled, wanted - filled, offset + filled);
      if (bytesRead === 0) throw new Error('the file became shorter while it was sent');
      filled += bytesRead;
    }
    this.#chunk = chunk;
    this.#chunkAt = offset;
    return chunk.subarray(0, end - offset);
  }
}
