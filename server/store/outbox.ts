import type { CallName } from './calls.js';
import { type Call, type RowCall, writeCall } from './messages.js';

/** Background calls wait this long for company. */
const LINGER_MS = 20;
/** While so many rows wait, machines boot in numbers: the rows wait longer, because most of them are saved again soon. */
const MANY = 64;
const LONG_LINGER_MS = 1000;
/** So many do not wait any longer. */
const MOST = 1000;
/** They leave in steps: to write a thousand rows down in one go would hold up packets for 10 ms. */
const STEP = 64;
const STEP_MS = 5;

/**
 * To wake the store's thread costs more than what it is woken for: calls that come within this time after the last message are in
 * the next one, and in its transaction.
 */
const PACE_MS = 1;
/** So many are worth a message of their own. */
const COMPANY = 8;

/** Tells why a call that lingered could not be sent. */
type Unsent = (id: number, error: unknown) => void;

interface WaitingRow {
  readonly id: number;
  make: () => RowCall;
}

/**
 * Calls on their way to the store's thread: those of one turn of the event loop travel together, background ones linger. The
 * order is kept, except that leases overtake what nobody waits for, and events the rows that linger.
 */
export class Outbox {
  readonly #post: (request: (string | number)[]) => void;
  readonly #unsent: Unsent;
  #now: (string | number)[] = [];
  #events: { readonly id: number; readonly call: RowCall }[] = [];
  /** By what they write. */
  #rows = new Map<string, WaitingRow>();
  /** Rows of before whose time has come. */
  #leaving: Iterator<WaitingRow> | undefined;
  #rowsSince = 0;
  /** Calls in `#now`, but for rows and events. */
  #count = 0;
  #immediate: NodeJS.Immediate | undefined;
  #pace: NodeJS.Timeout | undefined;
  #sentAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #lastId = 0;

  constructor(post: (request: (string | number)[]) => void, unsent: Unsent) {
    this.#post = post;
    this.#unsent = unsent;
  }

  /** The number under which the answer will come. Throws for arguments that are not plain data; then nothing is sent. */
  add<K extends CallName>({ name, args }: Call<K>): number {
    const text = JSON.stringify(args);
    if (name !== 'claimLease') this.#takeAll();
    this.#now.push(++this.#lastId, name, text);
    this.#soon();
    return this.#lastId;
  }

  /** The same for events. */
  addEvents(call: Call<'appendEvents'>): number {
    this.#events.push({ id: ++this.#lastId, call });
    this.#timer ??= setTimeout(() => this.#tick(), LINGER_MS);
    return this.#lastId;
  }

  /**
   * The same for a row that is written as a whole, or removed: `target` says which. One for the same target that still lingers is
   * not sent, and this one has its number. `make` is called when it leaves.
   */
  addRow(target: string, make: () => RowCall): number {
    const waiting = this.#rows.get(target);
    if (waiting !== undefined) {
      // To the end: what was forgotten since then and comes again must not be removed with what was there before.
      this.#rows.delete(target);
      waiting.make = make;
      this.#rows.set(target, waiting);
      return waiting.id;
    }
    if (this.#rows.size === 0) this.#rowsSince = performance.now();
    this.#rows.set(target, { id: ++this.#lastId, make });
    this.#timer ??= setTimeout(() => this.#tick(), LINGER_MS);
    return this.#lastId;
  }

  /** Sends everything. */
  flush(): void {
    this.#takeAll();
    this.#send();
  }

  /** At once when there are many; else after this turn of the event loop, and not within `PACE_MS` of the last time. */
  #soon(): void {
    this.#count++;
    if (this.#count >= COMPANY) this.#send();
    else if (this.#immediate !== undefined || this.#pace !== undefined) return;
    else if (performance.now() - this.#sentAt < PACE_MS) this.#pace = setTimeout(() => this.#send(), PACE_MS);
    else this.#immediate = setImmediate(() => this.#send());
  }

  #tick(): void {
    this.#timer = undefined;
    const { size } = this.#rows;
    const isTime = size < MANY || size > MOST || performance.now() - this.#rowsSince > LONG_LINGER_MS;
    if (this.#leaving === undefined && isTime) this.#dismissRows();
    this.#takeRows(STEP);
    this.#takeEvents();
    this.#send();
    if (this.#leaving === undefined && this.#rows.size === 0) return;
    this.#timer = setTimeout(() => this.#tick(), this.#leaving === undefined ? LINGER_MS : STEP_MS);
  }

  #takeAll(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    // A session is there before its events are.
    this.#takeRows(Number.POSITIVE_INFINITY);
    this.#dismissRows();
    this.#takeRows(Number.POSITIVE_INFINITY);
    this.#takeEvents();
  }

  #dismissRows(): void {
    this.#leaving = this.#rows.values();
    // Not clear(): it links what was in it to what comes (domain/churning-map.ts).
    this.#rows = new Map();
  }

  #takeRows(most: number): void {
    for (let taken = 0; this.#leaving !== undefined && taken < most; taken++) {
      const next = this.#leaving.next();
      if (next.done === true) {
        this.#leaving = undefined;
        return;
      }
      const { id, make } = next.value;
      try {
        writeCall(this.#now, id, make());
      } catch (error) {
        this.#unsent(id, error);
      }
    }
  }

  #takeEvents(): void {
    for (const { id, call } of this.#events) writeCall(this.#now, id, call);
    this.#events = [];
  }

  #send(): void {
    clearImmediate(this.#immediate);
    clearTimeout(this.#pace);
    this.#immediate = undefined;
    this.#pace = undefined;
    this.#count = 0;
    if (this.#now.length === 0) return;
    const request = this.#now;
    this.#now = [];
    this.#sentAt = performance.now();
    this.#post(request);
  }
}
