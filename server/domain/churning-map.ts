/** Before it is copied, at least; when more are in it, as many as those. */
const REMOVALS = 1024;

/**
 * A Map for entries that come and go all the time. V8's own links each table that it has outgrown (after some hundred removals) to
 * the next one. Once one of them is old, its young successors count as used, and through them everything that was ever in the map:
 * in a storm of DHCP that was 2 KB for each exchange, kept until the next collection of old objects, which stops everything for
 * tens of milliseconds. A fresh copy from time to time ends the chain.
 *
 * Do not change it while you go through `values`.
 */
export class ChurningMap<K, V> {
  #map = new Map<K, V>();
  #removed = 0;

  has(key: K): boolean {
    return this.#map.has(key);
  }

  get(key: K): V | undefined {
    return this.#map.get(key);
  }

  set(key: K, value: V): void {
    this.#map.set(key, value);
  }

  /** False = it was not there. */
  delete(key: K): boolean {
    if (!this.#map.delete(key)) return false;
    this.#removed++;
    if (this.#removed >= REMOVALS && this.#removed >= this.#map.size) {
      this.#map = new Map(this.#map);
      this.#removed = 0;
    }
    return true;
  }

  /** In the order of their first `set`. */
  values(): Iterable<V> {
    return this.#map.values();
  }
}
