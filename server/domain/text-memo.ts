/** Longer ones are made each time. */
const LONGEST = 32;
const NO_LENGTH = 255;

/**
 * The last texts that were made of a few bytes each (MAC, UUID, vendor class). Packets of one machine come in pairs and more, and
 * racks of machines say the same of themselves: to compare 32 bytes is quicker than to make a string, and maps find the same string
 * without looking into it. Bounded, whoever invents bytes: what falls on the same place replaces what was there.
 */
export class TextMemo<T extends string | undefined> {
  readonly #make: (bytes: Uint8Array) => T;
  readonly #mask: number;
  readonly #bytes: Uint8Array;
  readonly #lengths: Uint8Array;
  readonly #texts: (T | undefined)[];

  /** `places`: a power of two. `make` is to give the same for the same bytes. */
  constructor(places: number, make: (bytes: Uint8Array) => T) {
    this.#make = make;
    this.#mask = places - 1;
    this.#bytes = new Uint8Array(places * LONGEST);
    this.#lengths = new Uint8Array(places).fill(NO_LENGTH);
    this.#texts = Array.from({ length: places });
  }

  /** Throws what `make` throws. */
  of(bytes: Uint8Array): T {
    const { length } = bytes;
    if (length > LONGEST) return this.#make(bytes);
    // FNV-1a.
    let hash = 0x811c9dc5;
    for (let i = 0; i < length; i++) hash = Math.imul(hash ^ (bytes[i] ?? 0), 0x01000193);
    const place = (hash ^ (hash >>> 15)) & this.#mask;
    const at = place * LONGEST;
    if (this.#lengths[place] === length) {
      let i = 0;
      while (i < length && this.#bytes[at + i] === bytes[i]) i++;
      if (i === length) return this.#texts[place] as T;
    }
    const text = this.#make(bytes);
    this.#lengths[place] = length;
    for (let i = 0; i < length; i++) this.#bytes[at + i] = bytes[i] ?? 0;
    this.#texts[place] = text;
    return text;
  }
}
