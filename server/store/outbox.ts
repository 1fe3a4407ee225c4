import type { CallName } from './calls.js';
import type { Call } from './messages.js';

/** Background calls wait this long for company: an open session that is saved again meanwhile is written once. */
const LINGER_MS = 20;

/**
 * Calls on their way to the store's thread: those of one turn of the event loop travel together, background ones linger. The
 * order is kept, except that a lease overtakes what nobody waits for.
 */
export class Outbox {
  readonly #post: (text: string) => void;
  #now: string[] = [];
  /** By what they write. */
  readonly #later = new Map<string, { readonly id: number; text: string }>();
  #immediate: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastId = 0;

  constructor(post: (text: string) => void) {
    this.#post = post;
  }

  /** The number under which the answer will come. Throws for arguments that are not plain data; then nothing is sent. */
  add<K extends CallName>(call: Call<K>): number {
    const text = JSON.stringify(call);
    if (call.name !== 'claimLease') this.#takeLater();
    this.#now.push(numbered(++this.#lastId, text));
    this.#immediate ??= setImmediate(() => {
      this.#immediate = undefined;
      this.#send();
    });
    return this.#lastId;
  }

  /**
   * The same for a background call. `target`: what it writes as a whole; when a call for the same target still lingers, this one
   * takes its place and its number.
   */
  addLater<K extends CallName>(call: Call<K>, target = `call ${this.#lastId}`): number {
    const text = JSON.stringify(call);
    const waiting = this.#later.get(target);
    if (waiting !== undefined) {
      waiting.text = text;
      return waiting.id;
    }
    this.#later.set(target, { id: ++this.#lastId, text });
    this.#timer ??= setTimeout(() => this.flush(), LINGER_MS);
    return this.#lastId;
  }

  /** Sends everything. */
  flush(): void {
    this.#takeLater();
    this.#send();
  }

  #takeLater(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const { id, text } of this.#later.values()) this.#now.push(numbered(id, text));
    this.#later.clear();
  }

  #send(): void {
    if (this.#now.length === 0) return;
    const calls = this.#now;
    this.#now = [];
    this.#post(`{"kind":"calls","calls":[${calls.join(',')}]}`);
  }
}

const numbered = (id: number, text: string): string => `{"id":${id},"call":${text}}`;
