import { backgroundRows } from './calls.js';
import type { NumberedCall } from './messages.js';

/** Calls per transaction: more would make the first of them wait longer than the fsync they share. */
const GROUP = 64;
/** Rows of background calls per transaction: about a millisecond, the most that a lease waits because of them. */
const BACKGROUND_ROWS = 64;

/**
 * The worker's queue: leases first, then what fills the timeline, a little at a time. A call that is neither waits for all that
 * came before it, so whoever reads sees what was written.
 */
export class WaitingCalls {
  #urgent: NumberedCall[] = [];
  #background: NumberedCall[] = [];

  add(calls: readonly NumberedCall[]): void {
    for (const numbered of calls) {
      const { name, args } = numbered.call;
      if (backgroundRows(name, args) !== undefined) {
        this.#background.push(numbered);
        continue;
      }
      if (name !== 'claimLease') {
        this.#urgent.push(...this.#background);
        this.#background = [];
      }
      this.#urgent.push(numbered);
    }
  }

  get empty(): boolean {
    return this.#urgent.length === 0 && this.#background.length === 0;
  }

  nextGroup(): NumberedCall[] {
    const group = this.#urgent.splice(0, GROUP);
    let rows = 0;
    let count = 0;
    for (const { call } of this.#background) {
      rows += backgroundRows(call.name, call.args) ?? 0;
      count++;
      if (rows >= BACKGROUND_ROWS) break;
    }
    group.push(...this.#background.splice(0, count));
    return group;
  }
}
