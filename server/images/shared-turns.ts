import { MachineTurns, type TurnStep } from './machine-turns.js';

interface Download {
  readonly machine: string;
}

/** What the caller has to change in what it watches. */
export interface WatchChange<D> {
  readonly begin: readonly D[];
  readonly rest: readonly D[];
}

/**
 * Turns only where there is somebody to share with. One machine alone gets all that the server can send over all of its connections
 * at once: by turns a single address (a proxy, a lab behind NAT, a load test) would come to the speed of one connection.
 */
export class SharedTurns<D extends Download> {
  readonly #byMachine = new Map<string, Set<D>>();
  #turns: MachineTurns<D> | undefined;

  add(download: D): WatchChange<D> {
    if (download.machine === '') return { begin: [download], rest: [] };
    const own = this.#byMachine.get(download.machine);
    if (own === undefined) this.#byMachine.set(download.machine, new Set([download]));
    else own.add(download);
    if (this.#byMachine.size === 1) return { begin: [download], rest: [] };
    if (this.#turns !== undefined) return { begin: this.#turns.add(download) ? [download] : [], rest: [] };
    const turns = new MachineTurns<D>();
    this.#turns = turns;
    const before = [...this.#byMachine.values()].flatMap((set) => [...set]).filter((one) => one !== download);
    const rest = before.filter((one) => !turns.add(one));
    return { begin: turns.add(download) ? [download] : [], rest };
  }

  ready(download: D): TurnStep<D> {
    return this.#turns?.ready(download) ?? { kind: 'send' };
  }

  sent(download: D, bytes: number): void {
    this.#turns?.sent(download, bytes);
  }

  /** It has ended: which ones to watch now. */
  remove(download: D): readonly D[] {
    const own = this.#byMachine.get(download.machine);
    if (own === undefined || !own.delete(download)) return [];
    if (own.size === 0) this.#byMachine.delete(download.machine);
    const turns = this.#turns;
    const next = turns?.remove(download);
    const begin = next === undefined ? [] : [next];
    if (turns === undefined || this.#byMachine.size > 1) return begin;
    // Alone again: nobody waits any more.
    this.#turns = undefined;
    const left = [...this.#byMachine.values()].flatMap((set) => [...set]);
    return [...begin, ...left.filter((one) => turns.waits(one))];
  }

  waits(download: D): boolean {
    return this.#turns?.waits(download) === true;
  }

  look(): readonly D[] {
    return this.#turns?.look() ?? [];
  }
}
