import type { NewEvent } from '../domain/event.js';

/** A rack or two that are switched on before anybody has registered them. */
const AT_ONCE = 5000;
/** New ones after that, each second. */
const PER_SECOND = 20;
/** The first one that is left out is told at once, then the sum of each period. */
const PERIOD_MS = 10_000;

export interface StrangerLimitOptions {
  /** Epoch milliseconds. */
  readonly clock: () => number;
  readonly record: (event: Omit<NewEvent, 'at'>) => void;
}

/**
 * Machines that nobody knows are listed, and with `unknownMachines: discover` boot: each is rows in the store and a session that is
 * watched. MACs are easy to make up, so only so many new ones are taken in; a real one asks again.
 */
export class StrangerLimit {
  readonly #options: StrangerLimitOptions;
  #tokens = AT_ONCE;
  #at = Number.NEGATIVE_INFINITY;
  #leftOut = 0;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(options: StrangerLimitOptions) {
    this.#options = options;
  }

  /** Whether one more new machine is taken in now. */
  admits(): boolean {
    const now = this.#options.clock();
    const back = (Math.max(0, now - this.#at) * PER_SECOND) / 1000;
    this.#tokens = Math.min(AT_ONCE, this.#tokens + back);
    this.#at = now;
    if (this.#tokens >= 1) {
      this.#tokens--;
      return true;
    }
    this.#leftOut++;
    if (now - this.#toldAt < PERIOD_MS) return false;
    this.#toldAt = now;
    const count = this.#leftOut;
    this.#leftOut = 0;
    const whose = count === 1 ? 'a packet of a new machine' : `${count} packets of new machines`;
    this.#options.record({
      source: 'dhcp',
      kind: 'dhcp.limited',
      level: 'warning',
      message: `${whose} left out, neither listed nor booted: more than ${AT_ONCE} that nobody knows at once, then ${PER_SECOND} a second (an attack, or machines to register with anybios apply)`,
      data: { sender: 'unknown machines', limit: PER_SECOND, count },
    });
    return false;
  }
}
