/**
 * Bytes of one connection before the next of the same machine has its turn: what the kernel still holds for the one before is then
 * a part of it, so a machine with many connections comes to about the share of one.
 */
export const QUANTUM = 8 << 20;

interface Download {
  /** Remote address; empty = by itself. */
  readonly machine: string;
}

interface Machine<D> {
  active: D | undefined;
  /** Sent to `active` in this turn. */
  used: number;
  /** Nothing was sent to it since the last look. */
  still: boolean;
  readonly waiting: Set<D>;
  /** They took no bytes in their turn. They are watched, and wait again as soon as they can take some. */
  readonly stuck: Set<D>;
}

/** What to do with a download that can take bytes. `rest`: watch it no more; `begin`: watch that one. */
export type TurnStep<D> = { readonly kind: 'send' } | { readonly kind: 'rest'; readonly begin?: D };

/**
 * Fairness between machines, not connections: of all downloads of a machine one is sent to at a time, and they take turns. A
 * machine with one download never notices. One that takes no bytes loses its turn until it does: it must not hold up its brothers
 * behind one address (a router with NAT).
 */
export class MachineTurns<D extends Download> {
  readonly #machines = new Map<string, Machine<D>>();

  /** True: watch it now. False: it waits until another call returns it. */
  add(download: D): boolean {
    if (download.machine === '') return true;
    const machine = this.#machines.get(download.machine);
    if (machine === undefined) {
      const fresh = { active: download, used: 0, still: false, waiting: new Set<D>(), stuck: new Set<D>() };
      this.#machines.set(download.machine, fresh);
      return true;
    }
    if (machine.active === undefined) return this.#begin(machine, download) === download;
    machine.waiting.add(download);
    return false;
  }

  /** It can take bytes. */
  ready(download: D): TurnStep<D> {
    const machine = this.#machines.get(download.machine);
    if (machine === undefined) return { kind: 'send' };
    if (machine.stuck.delete(download)) {
      if (machine.active !== undefined) {
        machine.waiting.add(download);
        return { kind: 'rest' };
      }
      this.#begin(machine, download);
    }
    if (machine.active !== download) return { kind: 'rest' };
    if (machine.used < QUANTUM) return { kind: 'send' };
    const next = first(machine.waiting);
    if (next === undefined) {
      machine.used = 0;
      return { kind: 'send' };
    }
    machine.waiting.add(download);
    return { kind: 'rest', begin: this.#begin(machine, next) };
  }

  sent(download: D, bytes: number): void {
    const machine = this.#machines.get(download.machine);
    if (machine?.active !== download) return;
    machine.used += bytes;
    machine.still = false;
  }

  /** It has ended: which one to watch now. */
  remove(download: D): D | undefined {
    const machine = this.#machines.get(download.machine);
    if (machine === undefined) return undefined;
    machine.waiting.delete(download);
    machine.stuck.delete(download);
    if (machine.active === download) machine.active = undefined;
    const next = machine.active === undefined ? first(machine.waiting) : undefined;
    if (next !== undefined) return this.#begin(machine, next);
    if (machine.active === undefined && machine.stuck.size === 0) this.#machines.delete(download.machine);
    return undefined;
  }

  /** Whether it waits for its turn: it takes no bytes because it is given none. */
  waits(download: D): boolean {
    return this.#machines.get(download.machine)?.waiting.has(download) === true;
  }

  /** Once a second: which ones to watch now, instead of brothers that have taken nothing since the last time. */
  look(): readonly D[] {
    const begun: D[] = [];
    for (const machine of this.#machines.values()) {
      const next = machine.still ? first(machine.waiting) : undefined;
      machine.still = true;
      if (next === undefined || machine.active === undefined) continue;
      machine.stuck.add(machine.active);
      begun.push(this.#begin(machine, next));
    }
    return begun;
  }

  #begin(machine: Machine<D>, download: D): D {
    machine.waiting.delete(download);
    machine.active = download;
    machine.used = 0;
    machine.still = false;
    return download;
  }
}

function first<D>(downloads: ReadonlySet<D>): D | undefined {
  for (const download of downloads) return download;
  return undefined;
}
