import { ChurningMap } from '../domain/churning-map.js';
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

/** A hold in the list of its subnet. */
class Link implements Hold {
  readonly address: Ipv4;
  readonly mac: Mac;
  readonly since: number;
  readonly until: number;
  readonly list: List;
  older: Link | undefined;
  newer: Link | undefined;

  constructor(address: Ipv4, mac: Mac, since: number, list: List) {
    this.address = address;
    this.mac = mac;
    this.since = since;
    this.until = since + HOLD_SECONDS;
    this.list = list;
  }
}

/** Of one subnet, the oldest first: in the order of their ends, since all last equally long. */
class List {
  oldest: Link | undefined;
  #newest: Link | undefined;

  append(link: Link): void {
    link.older = this.#newest;
    if (this.#newest === undefined) this.oldest = link;
    else this.#newest.newer = link;
    this.#newest = link;
  }

  remove(link: Link): void {
    const { older, newer } = link;
    if (older === undefined) this.oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    // What is gone must not keep its neighbours alive.
    link.older = undefined;
    link.newer = undefined;
  }
}

/** The offers that nobody has taken up yet; every question is O(1) on average. */
export class Holds {
  readonly #holds = new ChurningMap<Ipv4, Link>();
  readonly #byMac = new AddressesByMac();
  /** By the network address of the subnet: offers of one subnet cost the others nothing. */
  readonly #bySubnet = new Map<Ipv4, List>();

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
    let list = this.#bySubnet.get(subnet);
    if (list === undefined) {
      list = new List();
      this.#bySubnet.set(subnet, list);
    }
    const link = new Link(address, mac, now, list);
    list.append(link);
    this.#holds.set(address, link);
    this.#byMac.add(mac, address);
  }

  /** False = nobody held it. */
  drop(address: Ipv4): boolean {
    const link = this.#holds.get(address);
    if (link === undefined) return false;
    this.#holds.delete(address);
    link.list.remove(link);
    this.#byMac.remove(link.mac, address);
    return true;
  }

  /** One that is over; O(subnets). */
  due(now: number): Hold | undefined {
    for (const { oldest } of this.#bySubnet.values()) if (oldest !== undefined && oldest.until <= now) return oldest;
    return undefined;
  }

  /** All of a subnet that stand, the oldest first. */
  *inOrder(subnet: Ipv4): Generator<Hold> {
    for (let link = this.#bySubnet.get(subnet)?.oldest; link !== undefined; link = link.newer) yield link;
  }
}
