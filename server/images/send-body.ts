import type { FileHandle } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import type { FileSender } from './file-sender.js';
import { CLIENT_LEFT, FILE_SHRANK, SLOW_MILLISECONDS, SLOWEST_BYTES, tooSlow } from './sendfile-messages.js';

/** Read from the disk at once. */
const LARGEST_CHUNK = 1 << 20;
const SMALLEST_CHUNK = 64 << 10;
/** All downloads together: many at once read smaller pieces, so that 1,000 machines do not cost a gigabyte of buffers. */
const CHUNKS_TOGETHER = 128 << 20;
/** Smaller bodies are read and written at once: two messages to the thread cost more. */
const SMALLEST_FAST = 32 << 10;

/** A part of a file; the head of its answer has been written. */
export interface Body {
  readonly handle: FileHandle;
  readonly first: number;
  readonly length: number;
  /** Bytes so far, now and then. */
  readonly onBytes: (bytes: number) => void;
}

export type SendBody = (response: ServerResponse, body: Body) => Promise<void>;

/**
 * Sends bodies: by the fast sender if there is one, else by reading and writing. Rejects when the client goes away or is too slow,
 * or the file cannot be read; the answer is ended only when all was sent.
 */
export function bodySender(fast: FileSender | undefined, slowMilliseconds = SLOW_MILLISECONDS): SendBody {
  let active = 0;
  return async (response, body) => {
    active += 1;
    try {
      const { socket } = response;
      // A pipelined answer has no socket yet: the one before it is still being sent.
      if (fast !== undefined && socket !== null && body.length >= SMALLEST_FAST) {
        // Its own time-out sees nothing of what the thread sends; the thread has one.
        socket.setTimeout(0);
        await flushed(response);
        await fast.send({ ...body, socket, file: body.handle.fd });
        response.end();
      } else {
        const chunk = Math.min(LARGEST_CHUNK, Math.max(SMALLEST_CHUNK, Math.floor(CHUNKS_TOGETHER / active)));
        await stream(response, body, chunk, slowMilliseconds);
      }
    } finally {
      active -= 1;
    }
  };
}

/** Resolves when the head is in the kernel, so that no byte of the body can overtake it. */
async function flushed(response: ServerResponse): Promise<void> {
  response.flushHeaders();
  const { socket } = response;
  if (socket === null || socket.writableLength === 0) return;
  const gone = whenGone(response);
  try {
    await Promise.race([
      new Promise<void>((resolve, reject) => socket.write('', (error) => (error ? reject(error) : resolve()))),
      gone.promise,
    ]);
  } finally {
    gone.stop();
  }
}

async function stream(response: ServerResponse, body: Body, chunkBytes: number, slowMilliseconds: number) {
  const { handle, first, length, onBytes } = body;
  const gone = whenGone(response);
  let done = 0;
  let before = 0;
  const slow = setInterval(() => {
    if (done - before < SLOWEST_BYTES) gone.fail(new Error(tooSlow(slowMilliseconds)));
    before = done;
  }, slowMilliseconds);
  try {
    // One buffer: it is read into again only when the operating system has taken all of it, which is the back-pressure too.
    const buffer = Buffer.allocUnsafeSlow(Math.min(chunkBytes, length));
    while (done < length) {
      const wanted = Math.min(buffer.length, length - done);
      const { bytesRead } = await handle.read(buffer, 0, wanted, first + done);
      if (bytesRead === 0) throw new Error(FILE_SHRANK);
      // In small pieces, so that a slow client is told from a dead one.
      for (let at = 0; at < bytesRead; at += SLOWEST_BYTES) {
        const piece = buffer.subarray(at, Math.min(at + SLOWEST_BYTES, bytesRead));
        await Promise.race([written(response, piece), gone.promise]);
        done += piece.length;
      }
      onBytes(done);
    }
    response.end();
  } finally {
    clearInterval(slow);
    gone.stop();
  }
}

function written(response: ServerResponse, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    response.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

interface Gone {
  readonly promise: Promise<never>;
  fail(reason: Error): void;
  stop(): void;
}

/** Rejects when the connection closes: a write that waits in a queue then is never called back. */
function whenGone(response: ServerResponse): Gone {
  let fail: (reason: Error) => void = () => undefined;
  const promise = new Promise<never>((_, reject) => {
    fail = reject;
  });
  // Also when nobody waits for it at that moment.
  promise.catch(() => undefined);
  const onClose = (): void => fail(new Error(CLIENT_LEFT));
  response.once('close', onClose);
  if (response.closed || response.destroyed) onClose();
  return {
    promise,
    fail,
    stop() {
      response.off('close', onClose);
    },
  };
}
