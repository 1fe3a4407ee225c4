import {
  heard,
  isSilent,
  recordOf,
  silenceMs,
  type Tenure,
  tenureAtStart,
  unknownTenure,
} from '../decide/role-lease.js';
import type { Store } from '../domain/ports.js';
import type { LeaseWord, RoleLease } from '../domain/standby.js';

export interface RoleTenuresDeps {
  readonly store: Pick<Store, 'saveStandby'>;
  /** Ms that never jump (CLOCK_MONOTONIC): all leases and silences are counted by it. */
  readonly monotonic: () => number;
  /** As loaded. */
  readonly roleLeases: readonly RoleLease[];
}

/** How long each machine may run systems, in memory, and what of it the store has: that is saved before anything is granted. */
export class RoleTenures {
  readonly #deps: RoleTenuresDeps;
  readonly #tenures = new Map<string, Tenure>();
  /** What the store has of them: whatever is granted is compared with this, not with what was meant to be saved. */
  readonly #saved = new Map<string, RoleLease>();
  /** Last word of the lease in a heartbeat of this boot, and when (monotonic). */
  readonly #beats = new Map<string, { readonly word: LeaseWord | undefined; readonly at: number }>();
  /** Since when this server has listened without a gap. */
  countedFrom: number;

  constructor(deps: RoleTenuresDeps) {
    this.#deps = deps;
    const now = deps.monotonic();
    this.countedFrom = now;
    for (const record of deps.roleLeases) {
      this.#saved.set(record.machine, record);
      this.#tenures.set(record.machine, tenureAtStart(record, now));
    }
  }

  known(name: string): Tenure | undefined {
    return this.#tenures.get(name);
  }

  of(name: string): Tenure {
    return this.#tenures.get(name) ?? unknownTenure(name, this.countedFrom);
  }

  set(tenure: Tenure): void {
    this.#tenures.set(tenure.machine, tenure);
  }

  saved(name: string): RoleLease | undefined {
    return this.#saved.get(name);
  }

  async save(record: RoleLease): Promise<void> {
    await this.#deps.store.saveStandby({ leases: [record] });
    this.#saved.set(record.machine, record);
  }

  /** The store has it already, with something else in the same write. */
  wasSaved(record: RoleLease): void {
    this.#saved.set(record.machine, record);
  }

  /** Its systems run without a lease from the answer on. */
  async forget(name: string): Promise<void> {
    this.#tenures.delete(name);
    if (!this.#saved.has(name)) return;
    await this.#deps.store.saveStandby({ forgetLeases: [name] });
    this.#saved.delete(name);
  }

  /** A new boot of it has said nothing yet. */
  booted(name: string): void {
    this.#beats.delete(name);
  }

  /** A heartbeat with this word; answers the word before. */
  beat(name: string, word: LeaseWord | undefined): LeaseWord | undefined {
    const before = this.#beats.get(name)?.word;
    this.#beats.set(name, { word, at: this.#deps.monotonic() });
    return before;
  }

  /** Heard with its credential; true when it was said to be off. */
  async heard(name: string): Promise<boolean> {
    const tenure = this.#tenures.get(name);
    if (tenure === undefined) return false;
    const next = { ...heard(tenure, this.#deps.monotonic()), off: false };
    this.#tenures.set(name, next);
    if (this.#saved.get(name)?.off === true) await this.save(recordOf(next));
    return tenure.off;
  }

  /** Whether nothing was heard of it for three heartbeats, by its lease or without one. */
  isSilent(name: string, heartbeatSeconds: number): boolean {
    const tenure = this.of(name);
    // A machine without a lease on record is heard by its heartbeats all the same.
    const beat = this.#beats.get(name)?.at ?? this.countedFrom;
    const heardAt = Math.max(tenure.heardAt, beat);
    return isSilent({ ...tenure, heardAt }, heartbeatSeconds, this.countedFrom, this.#deps.monotonic());
  }

  /** Why it cannot begin as a spare now; undefined = it waits in its live OS and runs nothing. */
  unready(name: string, heartbeatSeconds: number): string | undefined {
    const beat = this.#beats.get(name);
    if (beat === undefined || this.#deps.monotonic() - beat.at > silenceMs(heartbeatSeconds)) return 'is not up';
    return beat.word === 'none' ? undefined : 'still runs systems, or its live OS keeps no lease';
  }

  /** It is switched off. */
  async off(name: string): Promise<void> {
    const tenure = this.of(name);
    this.set(tenure);
    await this.save({ ...recordOf(tenure), off: true });
    const now = this.of(name);
    // It may have been heard while that was written.
    if (now.heardAt === tenure.heardAt) this.set({ ...now, off: true });
    else await this.save(recordOf(now));
  }
}
