import type { Ipv4 } from '../domain/ipv4.js';
import type { Mac } from '../domain/mac.js';
import { AddressesByMac } from './addresses-by-mac.js';

/** An address that was offered to a network card. Times are epoch seconds. */
export interface Hold {
  readonly address: Ipv4;
  readonly mac: Mac;
  readonly since: number;
  readonly until: number;
}

/** How long an OFFER keeps its address: PXE ROMs wait up to 32 s for offers, iPXE retries within that. */
export const HOLD_SECONDS = 60;

/** The offers that nobody has taken up yet; every question is O(1) on average. */
export class Holds {
  readonly #holds = new Map<Ipv4, Hold>();
  readonly #byMac = new AddressesByMac();
  /** In the order of their ends, since all last equally long. */
  readonly #queue: Hold[] = [];
  #head = 0;

  has(address: Ipv4): boolean {
    return this.#holds.has(address);
  }

  holderOf(address: Ipv4, now: number): Mac | undefined {
    const hold = this.#holds.get(address);
    return hold === undefined || hold.until <= now ? undefined : hold.mac;
  }

  heldFor(mac: Mac): readonly Ipv4[] {
    return this.#byMac.of(mac);
  }

  /** The address must not be held by anybody. */
  add(address: Ipv4, mac: Mac, now: number): void {
    const hold: Hold = { address, mac, since: now, until: now + HOLD_SECONDS };
    this.#holds.set(address, hold);
    this.#byMac.add(mac, address);
    this.#queue.push(hold);
  }

  /** False = nobody held it. */
  drop(address: Ipv4): boolean {
    const hold = this.#holds.get(address);
    if (hold === undefined) return false;
    this.#holds.delete(address);
    this.#byMac.remove(hold.mac, address);
    return true;
  }

  /** The oldest hold that still stands; those replaced meanwhile are skipped. */
  oldest(): Hold | undefined {
    for (;;) {
      const hold = this.#queue[this.#head];
      if (hold === undefined) {
        this.#queue.length = 0;
        this.#head = 0;
        return undefined;
      }
      if (this.#holds.get(hold.address) === hold) return hold;
      this.#head++;
      if (this.#head > 1024 && this.#head * 2 > this.#queue.length) {
        this.#queue.splice(0, this.#head);
        this.#head = 0;
      }
    }
  }

  /** All that stand, the oldest first. */
  *inOrder(): Iterable<Hold> {
    for (let i = this.#head; i < this.#queue.length; i++) {
      const hold = this.#queue[i];
      if (hold !== undefined && this.#holds.get(hold.address) === hold) yield hold;
    }
  }
}
