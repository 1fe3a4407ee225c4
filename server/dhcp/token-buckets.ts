export interface BucketRate {
  /** Tokens that come back in a second; one packet takes one. */
  readonly perSecond: number;
  /** Tokens of a rested bucket. */
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  /** Milliseconds. */
  at: number;
}

/**
 * One token bucket for each key. O(1), and bounded whoever invents keys: buckets not asked for go when as many others came; a
 * forgotten bucket is a full one, so forgetting never hurts anybody.
 */
export class TokenBuckets<K> {
  readonly #rate: BucketRate;
  readonly #keep: number;
  #young = new Map<K, Bucket>();
  #old = new Map<K, Bucket>();

  /** At most twice `keep` buckets are remembered. */
  constructor(rate: BucketRate, keep: number) {
    this.#rate = rate;
    this.#keep = keep;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** Takes a token; false = there is none. `now` in milliseconds. */
  take(key: K, now: number): boolean {
    const { perSecond, burst } = this.#rate;
    let bucket = this.#young.get(key);
    if (bucket === undefined) {
      bucket = this.#old.get(key) ?? { tokens: burst, at: now };
      if (this.#young.size >= this.#keep) {
        this.#old = this.#young;
        this.#young = new Map();
      }
      this.#young.set(key, bucket);
    }
    bucket.tokens = Math.min(burst, bucket.tokens + (Math.max(0, now - bucket.at) * perSecond) / 1000);
    bucket.at = now;
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }
}
