import type { AddressRange, Ipv4 } from '../domain/ipv4.js';

/** Addresses looked at in one call: a bound for huge pools that are full; the next call goes on from there. */
const LOOKS_PER_CALL = 65_536;
/** A full pool is walked again this often, in case an address became free without a word (a reservation was removed). */
const RESCAN_SECONDS = 60;

/**
 * Finds a free address of one subnet in O(1) on average: first those never looked at, in order, then those that came back, the
 * one that has rested longest first, so that a machine that was switched off long finds its address again. Whether an address is
 * free is the caller's knowledge; the pool only remembers where to look.
 */
export class AddressPool {
  readonly #ranges: readonly AddressRange[];
  #range = 0;
  #next: number;
  #returned: Ipv4[] = [];
  #head = 0;
  readonly #queued = new Set<Ipv4>();
  #scannedAt = Number.NEGATIVE_INFINITY;

  constructor(ranges: readonly AddressRange[]) {
    this.#ranges = ranges;
    this.#next = ranges[0]?.first ?? 0;
  }

  includes(address: Ipv4): boolean {
    return this.#ranges.some(({ first, last }) => address >= first && address <= last);
  }

  /** An address that may be free again. Twice is once. */
  giveBack(address: Ipv4): void {
    if (this.#queued.has(address) || !this.includes(address)) return;
    this.#queued.add(address);
    this.#returned.push(address);
  }

  /**
   * The next free address; found again until it is not free any more. `isUnused` accepts a free one that nobody ever had.
   * `now`: epoch seconds.
   */
  peek(isUnused: (address: Ipv4) => boolean, isFree: (address: Ipv4) => boolean, now: number): Ipv4 | undefined {
    const found = this.#peekNew(isUnused) ?? this.#peekReturned(isFree);
    if (found !== undefined || this.#range < this.#ranges.length || now - this.#scannedAt < RESCAN_SECONDS)
      return found;
    this.#scannedAt = now;
    this.#range = 0;
    this.#next = this.#ranges[0]?.first ?? 0;
    return this.#peekNew(isFree);
  }

  #peekNew(isFree: (address: Ipv4) => boolean): Ipv4 | undefined {
    for (let looks = 0; looks < LOOKS_PER_CALL; looks++) {
      const range = this.#ranges[this.#range];
      if (range === undefined) return undefined;
      const address = this.#next as Ipv4;
      if (isFree(address)) return address;
      if (address < range.last) {
        this.#next++;
      } else {
        this.#range++;
        this.#next = this.#ranges[this.#range]?.first ?? 0;
      }
    }
    return undefined;
  }

  #peekReturned(isFree: (address: Ipv4) => boolean): Ipv4 | undefined {
    for (;;) {
      const address = this.#returned[this.#head];
      if (address === undefined) {
        this.#returned = [];
        this.#head = 0;
        return undefined;
      }
      if (isFree(address)) return address;
      this.#queued.delete(address);
      this.#head++;
      if (this.#head > 1024 && this.#head * 2 > this.#returned.length) {
        this.#returned = this.#returned.slice(this.#head);
        this.#head = 0;
      }
    }
  }
}
