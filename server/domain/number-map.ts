import { ChurningMap } from './churning-map.js';

const BITS = 8;
const SIZE = 2 ** BITS;

interface Block<V> {
  readonly key: number;
  readonly values: (V | undefined)[];
  count: number;
}

/**
 * A Map for whole numbers from 0 that lie beside each other: addresses of pools, numbers of calls. Arrays of 256 instead of tables: what
 * comes next is found where the last one lies, and nothing is ever made anew because it has grown. One big Map does that with all that
 * is in it: 3 ms at 65,536 entries, and the next collection of young objects goes through all of it once more, so that in a storm of
 * DHCP no packet was answered for 25 ms. Keys count modulo 2^32. In no order.
 */
export class NumberMap<V extends object> {
  readonly #blocks = new ChurningMap<number, Block<V>>();
  /** Of before: neighbours follow each other. */
  #last: Block<V> | undefined;
  /** One that holds nothing stays: what comes and goes at one place needs no new one each time. */
  #empty: Block<V> | undefined;

  has(key: number): boolean {
    return this.get(key) !== undefined;
  }

  get(key: number): V | undefined {
    return this.#blockOf(key)?.values[key & (SIZE - 1)];
  }

  set(key: number, value: V): void {
    const block = this.#blockOf(key) ?? this.#newBlock(key);
    const at = key & (SIZE - 1);
    if (block.values[at] === undefined) block.count++;
    block.values[at] = value;
  }

  /** False = it was not there. */
  delete(key: number): boolean {
    const block = this.#blockOf(key);
    const at = key & (SIZE - 1);
    if (block?.values[at] === undefined) return false;
    block.values[at] = undefined;
    block.count--;
    if (block.count === 0 && block !== this.#empty) {
      if (this.#empty?.count === 0) this.#forget(this.#empty);
      this.#empty = block;
    }
    return true;
  }

  *values(): IterableIterator<V> {
    for (const { values } of this.#blocks.values()) for (const value of values) if (value !== undefined) yield value;
  }

  #blockOf(key: number): Block<V> | undefined {
    const blockKey = key >>> BITS;
    if (this.#last?.key === blockKey) return this.#last;
    const block = this.#blocks.get(blockKey);
    if (block !== undefined) this.#last = block;
    return block;
  }

  #newBlock(key: number): Block<V> {
    const block: Block<V> = { key: key >>> BITS, values: new Array<V | undefined>(SIZE).fill(undefined), count: 0 };
    this.#blocks.set(block.key, block);
    this.#last = block;
    return block;
  }

  #forget(block: Block<V>): void {
    this.#blocks.delete(block.key);
    if (this.#last === block) this.#last = undefined;
  }
}
