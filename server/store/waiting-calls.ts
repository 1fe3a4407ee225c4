import { backgroundRows } from './calls.js';
import type { NumberedCall } from './messages.js';

/** Calls per transaction: more would make the first of them wait longer than the fsync they share. */
const GROUP = 64;
/** Background rows that ride along with leases: about a millisecond, the most that a lease waits because of them. */
const ROWS_BESIDE = 64;
/** Background rows of a transaction of their own. */
const ROWS_ALONE = 512;
/** So many background rows do not wait for company any more: the memory of a storm has a limit. */
const BACKLOG = 5000;

/**
 * The worker's queue: leases first, then what fills the timeline, a little at a time. A call that is neither waits for all that
 * came before it, so whoever reads sees what was written.
 */
export class WaitingCalls {
  #urgent: NumberedCall[] = [];
  #background: NumberedCall[] = [];
  #rows = 0;

  add(calls: readonly NumberedCall[]): void {
    for (const numbered of calls) {
      const { name } = numbered.call;
      const rows = backgroundRows(numbered.call);
      if (rows !== undefined) {
        this.#background.push(numbered);
        this.#rows += rows;
        continue;
      }
      if (name !== 'claimLease') {
        this.#urgent.push(...this.#background);
        this.#background = [];
        this.#rows = 0;
      }
      this.#urgent.push(numbered);
    }
  }

  get empty(): boolean {
    return this.#urgent.length === 0 && this.#background.length === 0;
  }

  /** Somebody waits, or too much does. */
  get pressing(): boolean {
    return this.#urgent.length > 0 || this.#rows > BACKLOG;
  }

  nextGroup(): NumberedCall[] {
    const group = this.#urgent.splice(0, GROUP);
    const limit = group.length > 0 ? ROWS_BESIDE : ROWS_ALONE;
    let rows = 0;
    let count = 0;
    for (const { call } of this.#background) {
      if (rows >= limit) break;
      rows += backgroundRows(call) ?? 0;
      count++;
    }
    this.#rows -= rows;
    group.push(...this.#background.splice(0, count));
    return group;
  }
}
