/** Milliseconds between two looks at the socket. A client of DHCP waits seconds for its answer. */
const APART_MS = 0.3;

const nobody = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

/**
 * What network cards do with their interrupts: when packets come faster than one in 0.3 ms, they are let come together. A turn of the
 * event loop for each costs as much again as its answer, and the processor that it takes is what the others wait for. The thread
 * stands still meanwhile: the event loop cannot sleep for less than a millisecond, and would wake for the next packet.
 */
export class Pace {
  #last = Number.NEGATIVE_INFINITY;

  /** Returns when the last return is at least 0.3 ms ago: at once unless packets come in numbers. */
  wait(): void {
    const early = APART_MS - (performance.now() - this.#last);
    if (early > 0) Atomics.wait(nobody, 0, 0, early);
    this.#last = performance.now();
  }
}
