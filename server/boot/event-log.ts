import type { BootEvent, NewEvent } from '../domain/event.js';
import type { Store } from '../domain/ports.js';

export interface BootLog {
  info(data: object, message: string): void;
  warn(data: object, message: string): void;
  error(data: object, message: string): void;
}

/** Events of one call: a store that is busy with leases fits small calls in between. */
const PART = 64;

/** Warnings that belong to no boot, each second: a flood must not push the boots' own events out of the store. */
const LOOSE_WARNINGS = 20;

/** Takes events from anywhere without making the caller wait, writes them in order, and tells subscribers once they are durable. */
export class EventLog {
  readonly #store: Pick<Store, 'appendEvents'>;
  readonly #log: BootLog;
  readonly #clock: () => number;
  readonly #listeners = new Set<(event: BootEvent) => void>();
  #queue: NewEvent[] = [];
  #looseSecond = 0;
  #loose = 0;
  #leftOut = 0;
  #writing: Promise<void> | undefined;

  constructor(store: Pick<Store, 'appendEvents'>, log: BootLog, clock: () => number) {
    this.#store = store;
    this.#log = log;
    this.#clock = clock;
  }

  /**
   * Stamps the time. A failing store loses events, not boots: it is logged as an error with the count. Warnings outside a boot
   * session (refused files, malformed packets) are limited; the next one tells how many were left out.
   */
  record(event: Omit<NewEvent, 'at'>): void {
    const at = this.#clock();
    if (event.session === undefined && event.level === 'warning') {
      const second = Math.floor(at / 1000);
      if (second !== this.#looseSecond) {
        this.#looseSecond = second;
        this.#loose = 0;
      }
      this.#loose += 1;
      if (this.#loose > LOOSE_WARNINGS) {
        this.#leftOut += 1;
        return;
      }
      const leftOut = this.#leftOut === 0 ? {} : { leftOut: this.#leftOut };
      this.#leftOut = 0;
      this.#queue.push({ at, ...event, data: { ...event.data, ...leftOut } });
    } else this.#queue.push({ at, ...event });
    this.#writing ??= this.#write();
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
      const written = await this.#store.appendEvents(part);
      for (const event of written) for (const listener of this.#listeners) listener(event);
    } catch (error) {
      this.#log.error({ error, lost: part.length, first: part[0] }, 'events could not be written');
    }
  }
}
