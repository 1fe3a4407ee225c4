import type { Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { EFD_CLOEXEC, EFD_NONBLOCK, type SocketCalls, socketCalls } from '../native/socket-calls.js';
import { compiledEntry } from '../paths.js';
import {
  CLIENT_LEFT,
  type FromSender,
  type SenderData,
  SLOTS,
  SLOW_MILLISECONDS,
  type ToSender,
} from './sendfile-messages.js';

/** Sends a part of an open file over a connection whose socket nobody writes to meanwhile. */
export interface FileSender {
  /**
   * Rejects when the client goes away, is too slow, or the file ends early. `onBytes`: once a second, with the bytes so far.
   * The connection is left open in any case.
   */
  send(job: SendJob): Promise<void>;
  /** Downloads that run are cut off. */
  close(): Promise<void>;
}

export interface SendJob {
  readonly socket: Socket;
  /** Descriptor of the open file. */
  readonly file: number;
  readonly first: number;
  readonly length: number;
  readonly onBytes: (bytes: number) => void;
}

interface Running {
  readonly resolve: () => void;
  readonly reject: (reason: Error) => void;
  readonly onBytes: (bytes: number) => void;
}

const PROGRESS_EVERY = 1000;
const ONE = new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0]);

/**
 * The fast way: a thread with sendfile(2) and an epoll of its own (ADR 6). Node parses requests and writes heads; the body goes from
 * the page cache into the socket, one copy of a hot image for all connections. Rejects with the reason when this computer cannot.
 */
export async function createFileSender(options: {
  readonly slowMilliseconds?: number;
  /** The thread ended without being asked to: its descriptors are lost. */
  readonly onLost: (reason: string) => void;
}): Promise<FileSender> {
  const calls = await socketCalls();
  const wake = calls.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake < 0) throw new Error(`eventfd failed (errno ${calls.errno()})`);
  const entry = compiledEntry('images/sendfile-thread.js');
  const progress = new SharedArrayBuffer(SLOTS * Float64Array.BYTES_PER_ELEMENT);
  const workerData: SenderData = {
    wake,
    progress,
    sample: entry,
    slowMilliseconds: options.slowMilliseconds ?? SLOW_MILLISECONDS,
  };
  const worker = new Worker(entry, { workerData, name: 'sendfile' });
  const sender = new ThreadSender(calls, worker, wake, new Float64Array(progress), options.onLost);
  await sender.ready;
  return sender;
}

class ThreadSender implements FileSender {
  readonly ready: Promise<void>;
  readonly #calls: SocketCalls;
  readonly #worker: Worker;
  readonly #wake: number;
  readonly #counts: Float64Array;
  readonly #running = new Map<number, Running>();
  readonly #free: number[] = [];
  #slots = 0;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;
  #closing = false;

  constructor(
    calls: SocketCalls,
    worker: Worker,
    wake: number,
    counts: Float64Array,
    onLost: (reason: string) => void,
  ) {
    this.#calls = calls;
    this.#worker = worker;
    this.#wake = wake;
    this.#counts = counts;
    let running = false;
    let problem = 'it ended by itself';
    this.ready = new Promise((resolve, reject) => {
      worker.on('message', (message: FromSender) => {
        if (message.kind === 'ready') {
          running = true;
          resolve();
        } else if (message.kind === 'unusable') reject(new Error(message.reason));
        else for (const { slot, problem } of message.jobs) this.#settle(slot, problem);
      });
      worker.once('error', (error: Error) => {
        problem = error.message;
      });
      worker.once('exit', () => {
        const reason = `the thread that sends files ended: ${problem}`;
        const lost = running && !this.#closing;
        this.#failAll(reason);
        if (lost) onLost(reason);
        else reject(new Error(reason));
      });
    });
  }

  async send({ socket, file, first, length, onBytes }: SendJob): Promise<void> {
    const fd = descriptorOf(socket);
    if (fd === undefined || socket.destroyed) throw new Error(CLIENT_LEFT);
    if (this.#ended) throw new Error('the thread that sends ended');
    const slot = this.#free.pop() ?? this.#newSlot();
    // Its own descriptor: when Node closes this socket and gives its number to another client, no byte goes there.
    const own = this.#calls.dup(fd);
    if (own < 0) {
      this.#free.push(slot);
      throw new Error('too many downloads at once (no file descriptor left)');
    }
    const stop = (): void => this.#post({ kind: 'stop', slot });
    socket.once('close', stop);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#running.set(slot, { resolve, reject, onBytes });
        this.#timer ??= setInterval(() => this.#tellProgress(), PROGRESS_EVERY);
        this.#post({ kind: 'send', slot, socket: own, file, first, length, machine: machineOf(socket) });
      });
    } finally {
      socket.off('close', stop);
      this.#free.push(slot);
    }
  }

  async close(): Promise<void> {
    if (this.#ended || this.#closing) return;
    this.#closing = true;
    const ended = new Promise<void>((resolve) => this.#worker.once('exit', () => resolve()));
    this.#post({ kind: 'end' });
    await ended;
  }

  #newSlot(): number {
    this.#slots += 1;
    if (this.#slots >= SLOTS) throw new Error('too many downloads at once');
    return this.#slots;
  }

  #post(message: ToSender): void {
    if (this.#ended) return;
    this.#worker.postMessage(message);
    this.#calls.write(this.#wake, ONE, ONE.length);
  }

  #settle(slot: number, problem: string | undefined): void {
    const running = this.#running.get(slot);
    if (running === undefined) return;
    this.#running.delete(slot);
    if (this.#running.size === 0) this.#stopTimer();
    if (problem === undefined) running.resolve();
    else running.reject(new Error(problem));
  }

  #tellProgress(): void {
    for (const [slot, { onBytes }] of this.#running) onBytes(this.#counts[slot] ?? 0);
  }

  #failAll(reason: string): void {
    if (!this.#ended) this.#calls.close(this.#wake);
    this.#ended = true;
    this.#stopTimer();
    for (const slot of [...this.#running.keys()]) this.#settle(slot, reason);
  }

  #stopTimer(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** Behind the loopback address is a proxy, and behind that are many machines. */
function machineOf({ remoteAddress = '' }: Socket): string {
  return remoteAddress === '127.0.0.1' || remoteAddress === '::1' ? '' : remoteAddress;
}

/** Node has no public way to it; undefined once the socket is closed. */
function descriptorOf(socket: Socket): number | undefined {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null || !('fd' in handle)) return undefined;
  return typeof handle.fd === 'number' && handle.fd >= 0 ? handle.fd : undefined;
}
