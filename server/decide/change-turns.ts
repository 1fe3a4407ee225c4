/** How many machines change at once while they run; who has been told is given so long to be done with it. */
export interface ChangeTurnsOptions {
  readonly atOnce: () => number;
  /** Epoch ms. */
  readonly clock: () => number;
}

/** A change loads images and starts systems; one that takes longer gives its turn to others. */
const TURN_MS = 120_000;
/** Its next turn: a minute later, then two, four … an hour: one that cannot change must not fill the event list. */
const PAUSE_MS = 60_000;
const LONGEST_PAUSE_MS = 3_600_000;

export type ChangeAnswer =
  | 'none'
  /** It is told to change, for the first time of this turn. */
  | 'begin'
  /** It was told before and has not done it yet: told again, an answer may have been lost. */
  | 'again'
  /** Others change now. */
  | 'wait'
  /** It was told and is as it shall be. */
  | 'done'
  /** It was told and is not as it shall be in time. */
  | 'late';

/**
 * Whose turn it is to change while it runs. Machines ask with their heartbeats, so a rack that must change does so in a rolling way:
 * so many at once, the next when one is done.
 */
export class ChangeTurns {
  readonly #options: ChangeTurnsOptions;
  readonly #since = new Map<string, number>();
  readonly #late = new Map<string, { readonly times: number; readonly notBefore: number }>();

  constructor(options: ChangeTurnsOptions) {
    this.#options = options;
  }

  /** `differs`: something is to be changed. `settled`: none of its systems is on its way. */
  ask(machine: string, differs: boolean, settled: boolean): ChangeAnswer {
    const now = this.#options.clock();
    const since = this.#since.get(machine);
    if (since !== undefined) {
      if (!differs && settled) {
        this.#since.delete(machine);
        this.#late.delete(machine);
        return 'done';
      }
      if (now - since < TURN_MS) return differs ? 'again' : 'none';
      this.#since.delete(machine);
      if (!differs) return 'none';
      const times = this.#late.get(machine)?.times ?? 0;
      const pause = Math.min(LONGEST_PAUSE_MS, PAUSE_MS * 2 ** times);
      this.#late.set(machine, { times: times + 1, notBefore: now + pause });
      return 'late';
    }
    if (!differs) {
      this.#late.delete(machine);
      return 'none';
    }
    if (now < (this.#late.get(machine)?.notBefore ?? 0)) return 'wait';
    this.#dropSilent(now);
    if (this.#since.size >= this.#options.atOnce()) return 'wait';
    this.#since.set(machine, now);
    return 'begin';
  }

  /** Whether it has been told to change and is not done. */
  has(machine: string): boolean {
    return this.#since.has(machine);
  }

  /** Machines that were told and then fell silent free their places. */
  #dropSilent(now: number): void {
    for (const [machine, since] of this.#since) if (now - since >= TURN_MS) this.#since.delete(machine);
  }
}
