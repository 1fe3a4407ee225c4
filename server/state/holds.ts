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
  /** Network address of its subnet. */
  readonly subnet: Ipv4;
}

/** How long an OFFER keeps its address: PXE ROMs wait up to 32 s for offers, iPXE retries within that. */
export const HOLD_SECONDS = 60;

/** The offers that nobody has taken up yet; every question about one is O(1) on average. */
export class Holds {
  readonly #holds = new ChurningMap<Ipv4, Hold>();
  readonly #byMac = new AddressesByMac();
  /** By subnet, the oldest first: offers of one subnet cost the others nothing. */
  readonly #bySubnet = new Map<Ipv4, ChurningMap<Ipv4, Hold>>();

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
    const hold: Hold = { address, mac, since: now, until: now + HOLD_SECONDS, subnet };
    let its = this.#bySubnet.get(subnet);
    if (its === undefined) {
      its = new ChurningMap();
      this.#bySubnet.set(subnet, its);
    }
    its.set(address, hold);
    this.#holds.set(address, hold);
    this.#byMac.add(mac, address);
  }

  /** False = nobody held it. */
  drop(address: Ipv4): boolean {
    const hold = this.#holds.get(address);
    if (hold === undefined) return false;
    this.#holds.delete(address);
    this.#bySubnet.get(hold.subnet)?.delete(address);
    this.#byMac.remove(hold.mac, address);
    return true;
  }

  /** Those that are over, to be dropped; O(subnets) when there are none, since all last equally long. */
  due(now: number): readonly Hold[] {
    const due: Hold[] = [];
    for (const its of this.#bySubnet.values()) {
      for (const hold of its.values()) {
        if (hold.until > now) break;
        due.push(hold);
      }
    }
    return due;
  }

  /** All of a subnet that stand, the oldest first. */
  inOrder(subnet: Ipv4): Iterable<Hold> {
    return this.#bySubnet.get(subnet)?.values() ?? [];
  }
}
