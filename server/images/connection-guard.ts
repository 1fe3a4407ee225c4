import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

interface Guarded {
  /** Requests that are being answered. */
  busy: number;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Does for an http.Server that is given its connections by hand what Node does only for one that listens itself: ends connections
 * that send no complete request head in time (idle ones between two requests too), and knows all of them when the server closes.
 */
export class ConnectionGuard {
  readonly #headMilliseconds: number;
  readonly #sockets = new Map<Socket, Guarded>();

  constructor(server: Server, headMilliseconds: number) {
    this.#headMilliseconds = headMilliseconds;
    // Before the listeners of the application: one of them may answer at once.
    server.prependListener('connection', (socket: Socket) => this.#add(socket));
    server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
      const guarded = this.#sockets.get(request.socket);
      if (guarded === undefined) return;
      guarded.busy += 1;
      clearTimeout(guarded.timer);
      response.once('close', () => {
        guarded.busy -= 1;
        if (guarded.busy === 0) this.#waitForHead(request.socket, guarded);
      });
    });
  }

  /**
   * Ends connections whose client takes nothing of an answer for so long. Node's own time-out alone would also end those that wait
   * for an answer that takes its time (an event stream, a job).
   */
  endStuck(server: Server, milliseconds: number): void {
    server.timeout = milliseconds;
    server.on('timeout', (socket: Socket) => {
      const busy = (this.#sockets.get(socket)?.busy ?? 0) > 0;
      if (busy && socket.writableLength === 0) socket.setTimeout(milliseconds);
      else socket.destroy();
    });
  }

  get size(): number {
    return this.#sockets.size;
  }

  closeIdle(): void {
    for (const [socket, { busy }] of this.#sockets) if (busy === 0) socket.destroy();
  }

  closeAll(): void {
    for (const socket of this.#sockets.keys()) socket.destroy();
  }

  #add(socket: Socket): void {
    const guarded: Guarded = { busy: 0, timer: undefined };
    this.#sockets.set(socket, guarded);
    this.#waitForHead(socket, guarded);
    socket.once('close', () => {
      clearTimeout(guarded.timer);
      this.#sockets.delete(socket);
    });
  }

  #waitForHead(socket: Socket, guarded: Guarded): void {
    clearTimeout(guarded.timer);
    if (socket.destroyed) return;
    guarded.timer = setTimeout(() => socket.destroy(), this.#headMilliseconds);
  }
}
