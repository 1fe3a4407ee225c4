import type { BucketRate } from './token-buckets.js';

/** Buckets that may lie at one place. */
const WAYS = 4;
/** Key, tokens, milliseconds of the last look. */
const WORDS = 3;
const FREE = -1;

/**
 * TokenBuckets for keys that are whole numbers from 0 (MACs), of which every packet of a storm brings a new one: all of it is one
 * array of numbers, made once. Where four keys meet at one place already, the one that was silent longest goes; a forgotten bucket is
 * a full one, so forgetting never hurts anybody, and a sender that goes on is never the one.
 */
export class NumberBuckets {
  readonly #rate: BucketRate;
  readonly #words: Float64Array;
  readonly #mask: number;

  /** `places`: a power of two; four buckets at each. */
  constructor(rate: BucketRate, places: number) {
    this.#rate = rate;
    this.#words = new Float64Array(places * WAYS * WORDS).fill(FREE);
    this.#mask = places - 1;
  }

  /** Takes a token; false = there is none. `now` in milliseconds, not negative. */
  take(key: number, now: number): boolean {
    const { perSecond, burst } = this.#rate;
    const words = this.#words;
    // The upper part of a MAC is the maker's, the lower one counts.
    const upper = Math.floor(key / 0x1000000);
    const mixed = Math.imul((key - upper * 0x1000000) ^ upper, 0x9e3779b1);
    const place = ((mixed >>> 15) & this.#mask) * WAYS * WORDS;
    let at = place;
    for (let i = place; i < place + WAYS * WORDS; i += WORDS) {
      if (words[i] === key) {
        at = i;
        break;
      }
      if ((words[i + 2] ?? 0) < (words[at + 2] ?? 0)) at = i;
    }
    let tokens = burst;
    if (words[at] === key) {
      const since = Math.max(0, now - (words[at + 2] ?? 0));
      tokens = Math.min(burst, (words[at + 1] ?? 0) + (since * perSecond) / 1000);
    }
    words[at] = key;
    words[at + 2] = now;
    words[at + 1] = tokens < 1 ? tokens : tokens - 1;
    return tokens >= 1;
  }
}
