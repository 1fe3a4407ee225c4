import type { Ipv4 } from './ipv4.js';

/** 2^15 addresses. */
const BLOCK_BITS = 15;
const BLOCK_MASK = 2 ** BLOCK_BITS - 1;

/** A set of addresses, one bit for each: those of a pool lie beside each other. */
export class AddressSet {
  readonly #blocks = new Map<number, Uint32Array>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(address: Ipv4): boolean {
    const block = this.#blocks.get(address >>> BLOCK_BITS);
    return block !== undefined && ((block[(address & BLOCK_MASK) >>> 5] ?? 0) & (1 << (address & 31))) !== 0;
  }

  add(address: Ipv4): void {
    const key = address >>> BLOCK_BITS;
    let block = this.#blocks.get(key);
    if (block === undefined) {
      block = new Uint32Array((BLOCK_MASK + 1) / 32);
      this.#blocks.set(key, block);
    }
    const at = (address & BLOCK_MASK) >>> 5;
    const before = block[at] ?? 0;
    const after = (before | (1 << (address & 31))) >>> 0;
    if (after === before) return;
    block[at] = after;
    this.#size++;
  }

  delete(address: Ipv4): void {
    if (!this.has(address)) return;
    const block = this.#blocks.get(address >>> BLOCK_BITS);
    const at = (address & BLOCK_MASK) >>> 5;
    if (block !== undefined) block[at] = (block[at] ?? 0) & ~(1 << (address & 31));
    this.#size--;
  }
}
