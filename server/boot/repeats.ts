/** Told at once in a second; firmware and boot loaders ask twice. */
const FIRST = 4;
const SECOND = 1000;
const MOST = 10_000;

interface Seen {
  since: number;
  count: number;
  leftOut: number;
}

/**
 * Keeps a client that asks for the same thing thousands of times a second from filling the timeline: of each key four a second are
 * told, the next one says how many were left out.
 */
export class Repeats {
  readonly #clock: () => number;
  readonly #seen = new Map<string, Seen>();

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** undefined = not to be told; else how many were left out before this one. */
  tell(key: string): number | undefined {
    const now = this.#clock();
    const seen = this.#seen.get(key);
    if (seen === undefined) {
      if (this.#seen.size >= MOST) this.#seen.clear();
      this.#seen.set(key, { since: now, count: 1, leftOut: 0 });
      return 0;
    }
    if (now - seen.since >= SECOND) {
      seen.since = now;
      seen.count = 0;
    }
    seen.count += 1;
    if (seen.count > FIRST) {
      seen.leftOut += 1;
      return undefined;
    }
    const { leftOut } = seen;
    seen.leftOut = 0;
    return leftOut;
  }
}
