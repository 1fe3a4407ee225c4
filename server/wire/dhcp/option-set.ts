import { WireError } from '../wire-error.js';

export const NOTHING = new Uint8Array(0);

/**
 * Code -> bytes, in the order of the packet. A packet has a dozen options: going through a list of them is quicker than a Map, which is
 * built anew three times while it grows, and most of those that firmware sends are never looked at, so that the view of their bytes is
 * made by who asks.
 */
export class OptionSet implements ReadonlyMap<number, Uint8Array> {
  readonly #bytes: Uint8Array;
  readonly #codes: number[] = [];
  readonly #values: (Uint8Array | undefined)[] = [];
  /** Where in `#bytes` a value lies that nobody has asked for yet: `start * 256 + length`. */
  readonly #places: number[] = [];

  /** `bytes`: what `place` speaks of. */
  constructor(bytes: Uint8Array = NOTHING) {
    this.#bytes = bytes;
  }

  get size(): number {
    return this.#codes.length;
  }

  has(code: number): boolean {
    return this.#codes.indexOf(code) >= 0;
  }

  get(code: number): Uint8Array | undefined {
    const at = this.#codes.indexOf(code);
    return at < 0 ? undefined : this.#valueAt(at);
  }

  /** Adds or replaces; a replaced option keeps its place. */
  set(code: number, value: Uint8Array): this {
    const at = this.#codes.indexOf(code);
    if (at >= 0) this.#values[at] = value;
    else this.#add(code, value, 0);
    return this;
  }

  /**
   * Adds an option that lies in the bytes of this set; false = there is one with that code. `length`: at most 255; `start`: below 2^24,
   * of which a datagram has 2^16.
   */
  place(code: number, start: number, length: number): boolean {
    if (this.#codes.indexOf(code) >= 0) return false;
    this.#add(code, undefined, start * 256 + length);
    return true;
  }

  delete(code: number): boolean {
    const at = this.#codes.indexOf(code);
    if (at < 0) return false;
    this.#codes.splice(at, 1);
    this.#values.splice(at, 1);
    this.#places.splice(at, 1);
    return true;
  }

  forEach(callback: (value: Uint8Array, code: number, options: ReadonlyMap<number, Uint8Array>) => void): void {
    for (let at = 0; at < this.#codes.length; at++) callback(this.#valueAt(at), this.#codes[at] ?? 0, this);
  }

  keys(): ArrayIterator<number> {
    return this.#codes.values();
  }

  values(): ArrayIterator<Uint8Array> {
    return this.#codes.map((_, at) => this.#valueAt(at)).values();
  }

  entries(): ArrayIterator<[number, Uint8Array]> {
    return this.#codes.map((code, at): [number, Uint8Array] => [code, this.#valueAt(at)]).values();
  }

  [Symbol.iterator](): ArrayIterator<[number, Uint8Array]> {
    return this.entries();
  }

  #add(code: number, value: Uint8Array | undefined, place: number): void {
    this.#codes.push(code);
    this.#values.push(value);
    this.#places.push(place);
  }

  #valueAt(at: number): Uint8Array {
    let value = this.#values[at];
    if (value === undefined) {
      const place = this.#places[at] ?? 0;
      const { buffer, byteOffset } = this.#bytes;
      value = new Uint8Array(buffer, byteOffset + (place >>> 8), place & 0xff);
      this.#values[at] = value;
    }
    return value;
  }
}

/** What is said of an option that goes on behind the end of its bytes; `at`: where it was to be read. */
export const cut = (field: string, needed: number, at: number, left: number): WireError =>
  new WireError(field, `needs ${needed} bytes at offset ${at}, the packet has ${left} left`);
