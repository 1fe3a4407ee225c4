/** Times with what happens then; the earliest comes out first. O(log n); entries are not removed early, the reader checks them. */
export class MinHeap<T> {
  readonly #items: { readonly at: number; readonly value: T }[] = [];

  get size(): number {
    return this.#items.length;
  }

  push(at: number, value: T): void {
    const items = this.#items;
    const item = { at, value };
    let i = items.push(item) - 1;
    while (i > 0) {
      const up = (i - 1) >> 1;
      const parent = items[up];
      if (parent === undefined || parent.at <= at) break;
      items[i] = parent;
      i = up;
    }
    items[i] = item;
  }

  /** The earliest entry with `at` <= now, taken out; undefined = none is due. */
  popDue(now: number): T | undefined {
    const items = this.#items;
    const first = items[0];
    if (first === undefined || first.at > now) return undefined;
    const last = items.pop();
    if (last !== undefined && items.length > 0) this.#sink(last);
    return first.value;
  }

  #sink(item: { readonly at: number; readonly value: T }): void {
    const items = this.#items;
    let i = 0;
    for (;;) {
      const left = items[2 * i + 1];
      if (left === undefined) break;
      const right = items[2 * i + 2];
      const takeRight = right !== undefined && right.at < left.at;
      const child = takeRight ? right : left;
      if (child.at >= item.at) break;
      items[i] = child;
      i = 2 * i + (takeRight ? 2 : 1);
    }
    items[i] = item;
  }
}
