import { Worker } from 'node:worker_threads';
import { compiledEntry } from '../paths.js';

/** Places in the memory that both threads see: one for each batch follows. */
export const TURN = 0;
export const STOP = 1;
export const FIRST_BATCH = 2;
/** Of a batch: nothing to send (0), so many datagrams (positive), or sent but for those that were told of. */
export const REFUSED = -1;

/** What the thread is started with. */
export interface SendThreadData {
  readonly fd: number;
  /** Of each batch the address of each `struct mmsghdr`, in memory that outlives the thread. */
  readonly batches: readonly (readonly number[])[];
  readonly shared: SharedArrayBuffer;
}

/** Thread -> main: what the kernel refused of a batch, and why (`EAGAIN`). */
export interface Refusals {
  readonly batch: number;
  readonly refused: readonly { readonly index: number; readonly reason: string }[];
}

/**
 * A thread that does nothing but sendmmsg: the kernel's way of an answer costs as much as a third of deciding it, and in a storm the
 * thread that decides has no time for it. It sleeps between batches without costing anything.
 */
export class SendThread {
  readonly #state: Int32Array;
  readonly #worker: Worker;
  readonly #count: number;
  #works = true;

  /** `refused` is called for each batch of which the kernel did not take all. */
  constructor(fd: number, batches: readonly (readonly number[])[], refused: (refusals: Refusals) => void) {
    const shared = new SharedArrayBuffer((FIRST_BATCH + batches.length) * Int32Array.BYTES_PER_ELEMENT);
    this.#state = new Int32Array(shared);
    this.#count = batches.length;
    const workerData: SendThreadData = { fd, batches, shared };
    this.#worker = new Worker(compiledEntry('dhcp/send-loop.js'), { workerData, name: 'dhcp-send' });
    this.#worker.unref();
    this.#worker.on('message', (refusals: Refusals) => {
      refused(refusals);
      Atomics.store(this.#state, FIRST_BATCH + refusals.batch, 0);
    });
    // What it had not sent is asked for again; from now on nothing is handed to it.
    const over = (): void => {
      this.#works = false;
    };
    this.#worker.on('error', over).on('exit', over);
  }

  /** Whether the batch is the caller's: everything in it was sent or told of. */
  isFree(batch: number): boolean {
    return Atomics.load(this.#state, FIRST_BATCH + batch) === 0;
  }

  /** Takes the first `count` datagrams of a batch, which is the thread's until `isFree`. Batches are taken in turn. False = it has ended. */
  take(batch: number, count: number): boolean {
    if (!this.#works) return false;
    Atomics.store(this.#state, FIRST_BATCH + batch, count);
    Atomics.add(this.#state, TURN, 1);
    Atomics.notify(this.#state, TURN);
    return true;
  }

  /** The batch after this one. */
  next(batch: number): number {
    return (batch + 1) % this.#count;
  }

  /** Resolves when everything it has was sent and it does not touch the socket any more. */
  async close(): Promise<void> {
    if (!this.#works) return;
    const ended = new Promise((resolve) => this.#worker.once('exit', resolve));
    Atomics.store(this.#state, STOP, 1);
    Atomics.add(this.#state, TURN, 1);
    Atomics.notify(this.#state, TURN);
    await ended;
  }
}
