import { nextSmallerBlock } from '../decide/tftp-path.js';

/** Addresses kept; the oldest makes room. */
const LIMIT = 4096;
/** Paths change: after this time the larger size is tried again, milliseconds. */
const KEPT = 3600_000;

/** Which block size comes through to whom, where larger ones were seen to get lost. */
export class PathMemory {
  readonly #sizes = new Map<string, { readonly size: number; readonly until: number }>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Bytes; undefined = nothing is known, so nothing is wrong. */
  sizeFor(address: string): number | undefined {
    const known = this.#sizes.get(address);
    if (known === undefined || known.until > this.#now()) return known?.size;
    this.#sizes.delete(address);
    return undefined;
  }

  /** Blocks of this size did not come through, or did after all. Returns the size that is agreed to from now on. */
  learn(address: string, blockSize: number, fits: boolean): number {
    const size = fits ? blockSize : nextSmallerBlock(blockSize);
    this.#sizes.delete(address);
    this.#sizes.set(address, { size, until: this.#now() + KEPT });
    if (this.#sizes.size > LIMIT) {
      const [oldest] = this.#sizes.keys();
      if (oldest !== undefined) this.#sizes.delete(oldest);
    }
    return size;
  }
}
