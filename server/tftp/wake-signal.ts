import { writeSync } from 'node:fs';

// A thread that sleeps in the kernel does not see messages, so whoever sends it one says so in shared memory, and wakes it if it sleeps.
const MESSAGES = 0;
const ASLEEP = 1;
const LEAVE = 2;
const ONE = new Uint8Array(new BigUint64Array([1n]).buffer);

export const newWakeSignal = (): Int32Array => new Int32Array(new SharedArrayBuffer(12));

/** The side of those who send messages: to be called after each. `wake` is an eventfd; absent = the receiver runs an event loop. */
export function announce(signal: Int32Array, wake: number | undefined): void {
  Atomics.add(signal, MESSAGES, 1);
  if (wake !== undefined && Atomics.exchange(signal, ASLEEP, 0) === 1) writeSync(wake, ONE);
}

/** The process ends: the thread must come back from the kernel, or Node waits for it for ever. */
export function tellToLeave(signal: Int32Array, wake: number | undefined): void {
  Atomics.store(signal, LEAVE, 1);
  if (wake !== undefined) writeSync(wake, ONE);
}

/** The side of the thread. */
export class WakeSignal {
  readonly #signal: Int32Array;
  #seen = 0;

  constructor(signal: Int32Array) {
    this.#signal = signal;
  }

  /** True = messages were sent since it was last asked. */
  get hasNews(): boolean {
    const count = Atomics.load(this.#signal, MESSAGES);
    if (count === this.#seen) return false;
    this.#seen = count;
    return true;
  }

  get mustLeave(): boolean {
    return Atomics.load(this.#signal, LEAVE) === 1;
  }

  /** Calls `sleep`, unless there is news; who sends a message meanwhile writes to the eventfd. */
  sleep(sleep: () => void): void {
    Atomics.store(this.#signal, ASLEEP, 1);
    if (Atomics.load(this.#signal, MESSAGES) === this.#seen && !this.mustLeave) sleep();
    Atomics.store(this.#signal, ASLEEP, 0);
  }
}
