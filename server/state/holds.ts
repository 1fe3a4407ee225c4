import type { Ipv4 } from '../domain/ipv4.js';
import type { Mac } from '../domain/mac.js';
import { NumberMap } from '../domain/number-map.js';
import { AddressesByMac } from './addresses-by-mac.js';

/** An address that was offered to a network card. Times are epoch seconds. */
export interface Hold {
  readonly address: Ipv4;
  readonly mac: Mac;
  readonly since: number;
  readonly until: number;
  /** Network address of its subnet. */
  readonly subnet: Ipv4;
}

/** How long an OFFER keeps its address: PXE ROMs wait up to 32 s for offers, iPXE retries within that. */
export const HOLD_SECONDS = 60;

interface Linked extends Hold {
  older: Linked | undefined;
  younger: Linked | undefined;
}

/** The offers that nobody has taken up yet; every question about one is O(1) on average. */
export class Holds {
  readonly #holds = new NumberMap<Linked>();
  readonly #byMac = new AddressesByMac();
  /** By subnet, a chain from the oldest to the youngest: offers of one subnet cost the others nothing. */
  readonly #bySubnet = new Map<Ipv4, { oldest: Linked | undefined; youngest: Linked | undefined }>();

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
  add(address: Ipv4, mac: Mac, now: number, subnet: Ipv4): void {
    let its = this.#bySubnet.get(subnet);
    if (its === undefined) {
      its = { oldest: undefined, youngest: undefined };
      this.#bySubnet.set(subnet, its);
    }
    const older = its.youngest;
    const hold: Linked = { address, mac, since: now, until: now + HOLD_SECONDS, subnet, older, younger: undefined };
    if (older === undefined) its.oldest = hold;
    else older.younger = hold;
    its.youngest = hold;
    this.#holds.set(address, hold);
    this.#byMac.add(mac, address);
  }

  /** False = nobody held it. */
  drop(address: Ipv4): boolean {
    const hold = this.#holds.get(address);
    if (hold === undefined) return false;
    this.#holds.delete(address);
    this.#byMac.remove(hold.mac, address);
    const { older, younger } = hold;
    const its = this.#bySubnet.get(hold.subnet);
    if (older !== undefined) older.younger = younger;
    else if (its !== undefined) its.oldest = younger;
    if (younger !== undefined) younger.older = older;
    else if (its !== undefined) its.youngest = older;
    // Dropped and old, it would keep its young neighbours until the next collection of old objects.
    hold.older = undefined;
    hold.younger = undefined;
    return true;
  }

  /** Those that are over, to be dropped; O(subnets) when there are none, since all last equally long. */
  due(now: number): readonly Hold[] {
    const due: Hold[] = [];
    for (const subnet of this.#bySubnet.keys()) {
      for (const hold of this.inOrder(subnet)) {
        if (hold.until > now) break;
        due.push(hold);
      }
    }
    return due;
  }

  /** All of a subnet that stand, the oldest first. Do not drop one before you have gone on from it. */
  *inOrder(subnet: Ipv4): IterableIterator<Hold> {
    for (let hold = this.#bySubnet.get(subnet)?.oldest; hold !== undefined; hold = hold.younger) yield hold;
  }
}
