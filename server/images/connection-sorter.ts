import type { Socket } from 'node:net';

export interface SorterOptions<Side extends string> {
  /** For a connection to send its first request line. */
  readonly headMilliseconds: number;
  /** Where a connection belongs, by its first bytes; `more` = they do not tell yet. */
  readonly sort: (bytes: Buffer) => Side | 'more';
  /** Gets the paused connection and what was read from it. */
  readonly take: (side: Side, socket: Socket, bytes: Buffer) => void;
}

/** Reads the first request line of new connections and gives each to the side it belongs to (ADR 4). */
export class ConnectionSorter<Side extends string> {
  readonly #options: SorterOptions<Side>;
  readonly #unsorted = new Set<Socket>();

  constructor(options: SorterOptions<Side>) {
    this.#options = options;
  }

  add(socket: Socket): void {
    const { headMilliseconds, sort, take } = this.#options;
    let bytes: Buffer = Buffer.alloc(0);
    this.#unsorted.add(socket);
    const giveUp = (): void => {
      socket.destroy();
    };
    // Browsers open connections that they may need later; they do not mind when those are closed.
    const timer = setTimeout(giveUp, headMilliseconds);
    const done = (): void => {
      clearTimeout(timer);
      this.#unsorted.delete(socket);
      socket.off('data', onData).off('end', giveUp).off('error', giveUp).off('close', done);
    };
    const onData = (chunk: Buffer): void => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      const side = sort(bytes);
      if (side === 'more') return;
      done();
      socket.pause();
      take(side, socket, bytes);
    };
    socket.on('data', onData).on('end', giveUp).on('error', giveUp).on('close', done);
  }

  closeAll(): void {
    for (const socket of this.#unsorted) socket.destroy();
  }
}

/**
 * Node goes on reading a paused socket until its buffer is full, and drops what it reads of one that is on its way to another
 * process. net.Socket has no public way to stop that at once, so this asks the handle below it. False = there is no such thing in
 * this version of Node.
 */
export function stopReading(socket: Socket): boolean {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null || !('readStop' in handle)) return false;
  if (typeof handle.readStop !== 'function') return false;
  handle.readStop();
  return true;
}
