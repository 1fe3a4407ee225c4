import type { Mac } from '../domain/mac.js';
import type { Observed } from '../domain/machine.js';
import type { Store } from '../domain/ports.js';
import type { State } from '../state/state.js';
import type { BootLog } from './event-log.js';
import { patched } from './patched.js';

/** What machines show of themselves: in memory at once, in the store when it matters after a restart. */
export class Observations {
  readonly #state: State;
  readonly #store: Pick<Store, 'saveObserved' | 'removeObserved'>;
  readonly #log: BootLog;
  readonly #clock: () => number;

  constructor(state: State, store: Pick<Store, 'saveObserved' | 'removeObserved'>, log: BootLog, clock: () => number) {
    this.#state = state;
    this.#store = store;
    this.#log = log;
    this.#clock = clock;
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
    const old = this.#state.observed.get(key);
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
    this.#state.observed.delete(from);
    this.#state.observed.set(to, next);
  }

  async remove(key: string): Promise<void> {
    await this.#store.removeObserved(key);
    this.#state.observed.delete(key);
  }
}
