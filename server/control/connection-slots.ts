/** Gives back what `take` gave. Calling it again does nothing. */
export type Release = () => void;

interface Waiting {
  readonly grant: (release: Release | undefined) => void;
  /** The highest is next. Asked for when it is somebody's turn: it may have changed while he waited. */
  readonly rank: () => number;
}

/** As many of a queue are compared; in a longer one the front is as good. */
const COMPARED = 1000;

/**
 * So many connections at once and no more. Who must wait stands in the queue of his group; groups take turns, so that one job
 * waits for one job of a batch of 500, not for all of them. In a group the highest rank is next, first come first served among equals.
 */
export class ConnectionSlots {
  readonly #limit: number;
  readonly #groups = new Map<string, Waiting[]>();
  #taken = 0;
  #closed = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get taken(): number {
    return this.#taken;
  }

  /** How many stand in a queue. */
  get waiting(): number {
    let count = 0;
    for (const queue of this.#groups.values()) count += queue.length;
    return count;
  }

  /** Resolves when it is this one's turn; undefined = everything is being closed. */
  take(group: string, rank: () => number = () => 0): Promise<Release | undefined> {
    return new Promise((resolve) => {
      const waiting = { grant: resolve, rank };
      const queue = this.#groups.get(group);
      if (queue === undefined) this.#groups.set(group, [waiting]);
      else queue.push(waiting);
      this.#next();
    });
  }

  /** Nobody gets a turn any more. */
  close(): void {
    this.#closed = true;
    for (const queue of this.#groups.values()) for (const { grant } of queue) grant(undefined);
    this.#groups.clear();
  }

  #next(): void {
    while (this.#taken < this.#limit || this.#closed) {
      const [first] = this.#groups;
      if (first === undefined) return;
      const [group, queue] = first;
      // Behind the others again, if more of the group wait.
      this.#groups.delete(group);
      const [waiting] = queue.splice(highest(queue), 1);
      if (queue.length > 0) this.#groups.set(group, queue);
      if (waiting === undefined) continue;
      if (this.#closed) waiting.grant(undefined);
      else {
        this.#taken += 1;
        waiting.grant(this.#releaser());
      }
    }
  }

  #releaser(): Release {
    let given = false;
    return () => {
      if (given) return;
      given = true;
      this.#taken -= 1;
      this.#next();
    };
  }
}

/** Place of the highest rank, the first of equals. */
function highest(queue: readonly Waiting[]): number {
  let best = 0;
  let most = Number.NEGATIVE_INFINITY;
  for (const [place, { rank }] of queue.slice(0, COMPARED).entries()) {
    const its = rank();
    if (its > most) [best, most] = [place, its];
  }
  return best;
}
