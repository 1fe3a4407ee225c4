import { AddressSet } from '../domain/address-set.js';
import type { AddressRange, Ipv4 } from '../domain/ipv4.js';

/** Addresses looked at in one call: a bound for huge pools that are full; the next call goes on from there. */
const LOOKS_PER_CALL = 65_536;
/** A full pool is walked again this often, in case an address became free without a word (a reservation was removed). */
const RESCAN_SECONDS = 60;

/** The ranges without the excluded addresses, in the same order; computed once, so that excluding costs nothing later. */
export function withoutRanges(
  ranges: readonly AddressRange[],
  excluded: readonly AddressRange[],
): readonly AddressRange[] {
  let left = [...ranges];
  for (const out of excluded) {
    left = left.flatMap(({ first, last }) => {
      if (out.last < first || out.first > last) return [{ first, last }];
      return [
        ...(first < out.first ? [{ first, last: (out.first - 1) as Ipv4 }] : []),
        ...(last > out.last ? [{ first: (out.last + 1) as Ipv4, last }] : []),
      ];
    });
  }
  return left;
}

/**
 * Finds a free address of one subnet in O(1) on average: first those never looked at, in order, then those that came back, the
 * one that has rested longest first, so that a machine that was switched off long finds its address again. Whether an address is
 * free is the caller's knowledge; the pool only remembers where to look.
 */
export class AddressPool {
  readonly #ranges: readonly AddressRange[];
  readonly #sorted: readonly AddressRange[];
  /** Addresses in it. */
  readonly size: number;
  readonly #used = new AddressSet();
  #range = 0;
  #next: number;
  #returned: Ipv4[] = [];
  #head = 0;
  readonly #queued = new AddressSet();
  #scannedAt = Number.NEGATIVE_INFINITY;

  constructor(ranges: readonly AddressRange[]) {
    this.#ranges = ranges;
    this.#sorted = [...ranges].sort((a, b) => a.first - b.first);
    this.#next = ranges[0]?.first ?? 0;
    this.size = ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  }

  /** How many are leased or in quarantine. */
  get used(): number {
    return this.#used.size;
  }

  /** Keeps the count; what is not in the pool does not matter. */
  mark(address: Ipv4, isUsed: boolean): void {
    if (!isUsed) this.#used.delete(address);
    else if (this.includes(address)) this.#used.add(address);
  }

  includes(address: Ipv4): boolean {
    // Ranges share no address: the last one that begins at or before the address is the only one that can hold it.
    let low = 0;
    let high = this.#sorted.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#sorted[middle]?.first ?? 0) <= address) low = middle;
      else high = middle - 1;
    }
    const range = this.#sorted[low];
    return range !== undefined && address >= range.first && address <= range.last;
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
