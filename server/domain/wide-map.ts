import { ChurningMap } from './churning-map.js';

const PARTS = 256;
/** Of a part, before it is copied. */
const REMOVALS = 64;

/**
 * A Map for as many entries as there are machines, made of small ones. One Map, when it outgrows its table, makes a new one of all that
 * is in it: 3 ms at 65,536 entries, and the next collection of young objects goes through all of it once more, so that in a storm of
 * DHCP no packet was answered for 25 ms. Parts grow one after the other. In no order.
 */
export class WideMap<K extends string | number, V> {
  readonly #parts: readonly ChurningMap<K, V>[] = Array.from({ length: PARTS }, () => new ChurningMap<K, V>(REMOVALS));

  has(key: K): boolean {
    return this.#part(key).has(key);
  }

  get(key: K): V | undefined {
    return this.#part(key).get(key);
  }

  set(key: K, value: V): void {
    this.#part(key).set(key, value);
  }

  /** False = it was not there. */
  delete(key: K): boolean {
    return this.#part(key).delete(key);
  }

  *values(): IterableIterator<V> {
    for (const part of this.#parts) yield* part.values();
  }

  #part(key: K): ChurningMap<K, V> {
    const part = this.#parts[placeOf(key)];
    if (part === undefined) throw new RangeError('no such part');
    return part;
  }
}

/** Mixed well, so that the parts of what comes in sequence do not all grow at the same time. */
function placeOf(key: string | number): number {
  let hash = 0;
  if (typeof key === 'number') hash = key ^ (key >>> 16);
  // Names differ at their end: MACs of one maker, machines of one rack.
  else for (let i = Math.max(0, key.length - 6); i < key.length; i++) hash = (hash << 5) - hash + key.charCodeAt(i);
  hash = Math.imul(hash, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) & (PARTS - 1);
}
