import type { EventAnswer, MachineAnswer } from './api-schema.js';

/**
 * Which machines `boot watch` follows, and whether all their boots are over. Without names: every machine whose boot is under
 * way when the watch begins or has an event later; a boot that ended before is nobody's business. Named machines: their newest boot,
 * also when it has ended already. Pure: answers of the API go in.
 */
export class WatchedBoots {
  readonly #names: ReadonlySet<string>;
  readonly #machines = new Map<string, MachineAnswer>();
  /** Machines that had an event since the last look. */
  readonly #touched = new Set<string>();
  /** Boots that had an event during the watch: theirs are watched even if they end before anyone looked. */
  readonly #sessions = new Set<string>();

  constructor(names: readonly string[]) {
    this.#names = new Set(names);
  }

  /** All: every machine is watched. */
  get isOpen(): boolean {
    return this.#names.size === 0;
  }

  get names(): readonly string[] {
    return [...this.#names];
  }

  /** What is known of a machine now. Without names, a machine enters with its first boot that is under way or had an event. */
  put(machine: MachineAnswer): void {
    const isNew = isUnderWay(machine) || this.#sessions.has(machine.boot?.session ?? '');
    const isWatched = this.isOpen ? this.#machines.has(machine.name) || isNew : this.#names.has(machine.name);
    if (isWatched) this.#machines.set(machine.name, machine);
  }

  /** The machine is no longer there, or has another name now (approved). */
  drop(name: string): void {
    this.#machines.delete(name);
  }

  /** Notes that an event tells of a watched machine; false = of another one. */
  touch(event: Pick<EventAnswer, 'machine' | 'mac' | 'session'>): boolean {
    const key = event.machine ?? event.mac;
    if (key === undefined) return false;
    // A named machine may be known by its MAC: its events carry name and MAC.
    const named = [event.machine, event.mac].find((word) => word !== undefined && this.#names.has(word));
    if (!this.isOpen && named === undefined) return false;
    this.#touched.add(named ?? key);
    if (event.session !== undefined) this.#sessions.add(event.session);
    return true;
  }

  /** Machines to ask the API for: those with news, and those loading something (progress is not an event). Empties the news. */
  takeStale(): readonly string[] {
    const stale = new Set(this.#touched);
    this.#touched.clear();
    for (const machine of this.#machines.values()) if (isUnderWay(machine)) stale.add(machine.name);
    return [...stale];
  }

  /** By name. */
  get machines(): readonly MachineAnswer[] {
    return [...this.#machines.values()].sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
  }

  /** Every watched machine has booted, well or not, and there is at least one. */
  get areOver(): boolean {
    const { machines } = this;
    if (machines.length === 0 || machines.length < this.#names.size) return false;
    return machines.every((machine) => machine.boot !== undefined && !isUnderWay(machine));
  }

  get haveSucceeded(): boolean {
    return this.areOver && this.machines.every((machine) => machine.boot?.outcome === 'succeeded');
  }
}

function isUnderWay(machine: MachineAnswer): boolean {
  return machine.boot?.outcome === 'running';
}
