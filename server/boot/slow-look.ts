/** So many at a time: half a millisecond, even when the code is not compiled yet. */
const SOME = 100;
const PAUSE_MS = 5;

/**
 * Looks at all of many, some at a time, so that packets are answered in between: 5,000 boots under way looked at in one go held up a
 * storm for 30 ms. What comes and goes meanwhile is seen or not, as iterators of Map and Set allow.
 */
export class SlowLook {
  #timer: NodeJS.Timeout | undefined;

  /** Nothing when one is under way. `done`: after the last one. */
  begin<T>(all: Iterable<T>, look: (one: T) => void, done?: () => void): void {
    if (this.#timer !== undefined) return;
    const rest = all[Symbol.iterator]();
    const go = (): void => {
      this.#timer = undefined;
      for (let i = 0; i < SOME; i++) {
        const next = rest.next();
        if (next.done === true) {
          done?.();
          return;
        }
        look(next.value);
      }
      this.#timer = setTimeout(go, PAUSE_MS).unref();
    };
    go();
  }

  /** Leaves the rest out. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
