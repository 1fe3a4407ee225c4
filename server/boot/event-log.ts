import type { BootEvent, NewEvent } from '../domain/event.js';
import type { Store } from '../domain/ports.js';

export interface BootLog {
  info(data: object, message: string): void;
  warn(data: object, message: string): void;
  error(data: object, message: string): void;
}

/** Events of one call: a store that is busy with leases fits small calls in between. */
const PART = 256;

/** Warnings that belong to no boot, each second: a flood must not push the boots' own events out of the store. */
const LOOSE_WARNINGS = 20;
/** The same for whatever else machines cause that nobody knows: MACs are easy to make up. */
const STRANGERS_EVENTS = 500;
const MACHINE_SIDE: ReadonlySet<NewEvent['source']> = new Set(['dhcp', 'tftp', 'http']);

/** So many in each second of the clock. */
class PerSecond {
  readonly #most: number;
  #second = 0;
  #count = 0;
  #leftOut = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** How many were left out since the last one that was let through; `none` = this one is left out. `at`: epoch ms. */
  take(at: number): number | 'none' {
    const second = Math.floor(at / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#count = 0;
    }
    this.#count++;
    if (this.#count > this.#most) {
      this.#leftOut++;
      return 'none';
    }
    const leftOut = this.#leftOut;
    this.#leftOut = 0;
    return leftOut;
  }
}

/** Takes events from anywhere without making the caller wait, writes them in order, and tells subscribers once they are durable. */
export class EventLog {
  readonly #store: Pick<Store, 'appendEvents'>;
  readonly #log: BootLog;
  readonly #clock: () => number;
  readonly #listeners = new Set<(event: BootEvent) => void>();
  #queue: NewEvent[] = [];
  readonly #warnings = new PerSecond(LOOSE_WARNINGS);
  readonly #strangers = new PerSecond(STRANGERS_EVENTS);
  #writing: Promise<void> | undefined;

  constructor(store: Pick<Store, 'appendEvents'>, log: BootLog, clock: () => number) {
    this.#store = store;
    this.#log = log;
    this.#clock = clock;
  }

  /**
   * Stamps the time. A failing store loses events, not boots: it is logged as an error with the count. What strangers cause is
   * limited; the next event of its kind tells how many were left out.
   */
  record(event: Omit<NewEvent, 'at'>): void {
    const at = this.#clock();
    const leftOut = this.#limitOf(event)?.take(at) ?? 0;
    if (leftOut === 'none') return;
    const { source, kind, level, session, machine, mac, message, data } = event;
    // Field by field: spreads of objects that differ in their fields cost more than the rest of it.
    const taken: { -readonly [K in keyof NewEvent]: NewEvent[K] } = { at, source, kind, level, message, data };
    if (session !== undefined) taken.session = session;
    if (machine !== undefined) taken.machine = machine;
    if (mac !== undefined) taken.mac = mac;
    if (leftOut > 0) taken.data = { ...data, leftOut };
    this.#queue.push(taken);
    this.#writing ??= this.#write();
  }

  #limitOf({ session, machine, mac, level, source }: Omit<NewEvent, 'at'>): PerSecond | undefined {
    // What DHCP sums up without a MAC (pools, floods, other servers) limits itself, and must be heard in a flood above all.
    if (source === 'dhcp' && mac === undefined) return undefined;
    if (session === undefined && level === 'warning') return this.#warnings;
    return machine === undefined && MACHINE_SIDE.has(source) ? this.#strangers : undefined;
  }

  subscribe(listener: (event: BootEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Resolves when everything recorded so far is durable and told. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue;
      this.#queue = [];
      const parts: Promise<void>[] = [];
      for (let at = 0; at < batch.length; at += PART) parts.push(this.#append(batch.slice(at, at + PART)));
      await Promise.all(parts);
    }
    this.#writing = undefined;
  }

  /** The store answers the parts in order. */
  async #append(part: readonly NewEvent[]): Promise<void> {
    try {
      const first = await this.#store.appendEvents(part);
      if (this.#listeners.size === 0) return;
      part.forEach((event, index) => {
        // It is ours, and on its way to the store already: a copy would be for its number only.
        const stored: BootEvent = Object.assign(event, { sequence: first + index });
        for (const listener of this.#listeners) listener(stored);
      });
    } catch (error) {
      this.#log.error({ error, lost: part.length, first: part[0] }, 'events could not be written');
    }
  }
}
