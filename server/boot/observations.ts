import type { Mac } from '../domain/mac.js';
import type { Observed } from '../domain/machine.js';
import type { Store } from '../domain/ports.js';
import type { State } from '../state/state.js';
import type { BootLog } from './event-log.js';
import { patched } from './patched.js';

/** Machines that are only discovered, at most; MACs are easy to make up, and each is kept in memory and in the store. */
export const MOST_STRANGERS = 20_000;

const STRANGER_TICK_MS = 10_000;

type Seen = Omit<Observed, 'lastSeenAt'> & { lastSeenAt: number };

function isSaid(old: Observed, patch: { readonly [K in keyof Observed]?: Observed[K] | undefined }): boolean {
  for (const name in patch) if (old[name as keyof Observed] !== patch[name as keyof Observed]) return false;
  return true;
}

/** What machines show of themselves: in memory at once, in the store when it matters after a restart. */
export class Observations {
  readonly #state: State;
  readonly #store: Pick<Store, 'saveObserved' | 'removeObserved' | 'forgetStranger'>;
  readonly #log: BootLog;
  readonly #clock: () => number;
  /** Keys of machines that are only discovered, the one that was silent longest first. */
  readonly #strangers = new Set<string>();

  constructor(
    state: State,
    store: Pick<Store, 'saveObserved' | 'removeObserved' | 'forgetStranger'>,
    log: BootLog,
    clock: () => number,
  ) {
    this.#state = state;
    this.#store = store;
    this.#log = log;
    this.#clock = clock;
    const strangers = [...state.observed.values()].filter(({ key }) => !state.machines.has(key));
    for (const { key } of strangers.sort((a, b) => a.lastSeenAt - b.lastSeenAt)) this.#strangers.add(key);
  }

  get(key: string): Observed | undefined {
    return this.#state.observed.get(key);
  }

  /** Merges `patch`; undefined removes a field. `keep: false` = a heartbeat: not worth a write. */
  update(
    key: string,
    mac: Mac,
    patch: { readonly [K in keyof Observed]?: Observed[K] | undefined },
    keep = true,
  ): Observed {
    const now = this.#clock();
    const old: Seen | undefined = this.#state.observed.get(key);
    if (old !== undefined && !keep && isSaid(old, patch)) {
      // Four packets of each boot say nothing new: a copy for each would only keep the memory busy.
      if (!this.#state.machines.has(key)) this.#sawStranger(key, old.lastSeenAt, now);
      old.lastSeenAt = now;
      return old;
    }
    const base: Observed = old ?? {
      key,
      mac,
      waiting: false,
      firstSeenAt: now,
      lastSeenAt: now,
      systems: [],
      unmanaged: false,
    };
    const next = patched<Observed>(base, { lastSeenAt: now, ...patch, key });
    this.#state.observed.set(key, next);
    if (!this.#state.machines.has(key)) this.#sawStranger(key, old?.lastSeenAt ?? 0, now);
    if (keep || old === undefined) {
      this.#store
        .saveObserved(next)
        .catch((error: unknown) => this.#log.error({ error, key }, 'what the machine reported could not be saved'));
    }
    return next;
  }

  /** A discovered machine got a name (or lost it): what was seen of it follows. */
  async rename(from: string, to: string, patch: Partial<Observed> = {}): Promise<void> {
    const old = this.#state.observed.get(from);
    if (old === undefined) return;
    const next = { ...old, ...patch, key: to };
    await this.#store.saveObserved(next);
    await this.#store.removeObserved(from);
    this.#strangers.delete(from);
    this.#state.observed.delete(from);
    this.#state.observed.set(to, next);
  }

  async remove(key: string): Promise<void> {
    await this.#store.removeObserved(key);
    this.#drop(key);
  }

  /** When there are too many, the one that was silent longest and does not wait for approval is forgotten. */
  #sawStranger(key: string, lastSeenAt: number, now: number): void {
    // Its place in the row is that of some seconds ago: good enough, and a boot sends several packets in each of them.
    if (now - lastSeenAt < STRANGER_TICK_MS && this.#strangers.has(key)) return;
    this.#strangers.delete(key);
    this.#strangers.add(key);
    if (this.#strangers.size <= MOST_STRANGERS) return;
    for (const oldest of this.#strangers) {
      if (this.#state.observed.get(oldest)?.waiting === true) continue;
      this.#drop(oldest);
      this.onForgotten?.(oldest);
      this.#store
        .forgetStranger(oldest)
        .catch((error: unknown) =>
          this.#log.error({ error, key: oldest }, 'a discovered machine could not be forgotten'),
        );
      return;
    }
  }

  /** Set by the core: a machine that was only discovered goes with its boots. */
  onForgotten: ((key: string) => void) | undefined;

  #drop(key: string): void {
    this.#strangers.delete(key);
    this.#state.observed.delete(key);
  }
}
