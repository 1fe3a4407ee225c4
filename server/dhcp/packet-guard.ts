import type { NewEvent } from '../domain/event.js';
import { hexOf } from '../domain/hex.js';
import { formatIpv4, type Ipv4, UNSPECIFIED } from '../domain/ipv4.js';
import type { Mac } from '../domain/mac.js';
import { NumberBuckets } from './number-buckets.js';
import { type BucketRate, TokenBuckets } from './token-buckets.js';

/**
 * A machine needs four packets for each of firmware, iPXE and OS, and repeats them every few seconds; a loop of a broken one
 * sends thousands a second.
 */
const PER_MAC: BucketRate = { perSecond: 50, burst: 100 };
/** More than 10,000 machines behind one relay (or on one wire) switched on in the same second. */
const PER_RELAY: BucketRate = { perSecond: 20_000, burst: 50_000 };
/** RFC 2131, section 3.1.5: a client waits ten seconds after a DECLINE. A few in a row are a real quarrel about addresses. */
const DECLINES_PER_MAC: BucketRate = { perSecond: 0.1, burst: 4 };
/** By subnet, since a flood invents MACs and relays: of a /24 a few at once, and a tenth in ten minutes. */
const DECLINES_PER_SUBNET: BucketRate = { perSecond: 0.05, burst: 16 };
/** Four MACs at each. */
const MAC_PLACES = 16_384;
const RELAYS_KEPT = 1024;
/** The first drop is told at once, then the sum of each period. */
const PERIOD_MS = 10_000;
/** Kinds of broken packets told apart; what a packet can make us say is ours, so there are few. */
const KINDS_KEPT = 200;
const GIADDR = 24;
const CHADDR = 28;
const CHADDR_END = 34;

export interface PacketGuardOptions {
  readonly record: (event: Omit<NewEvent, 'at'>) => void;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  readonly perMac?: BucketRate;
  readonly perRelay?: BucketRate;
}

interface Told {
  count: number;
  toldAt: number;
  toldCount: number;
}

/**
 * Stands before the decoder: drops what one sender sends too much of, and tells of that and of broken packets without letting
 * either fill the timeline. Everything in it is O(1) and bounded.
 */
export class PacketGuard {
  readonly #options: PacketGuardOptions;
  readonly #macs: NumberBuckets;
  readonly #relays: TokenBuckets<string | Ipv4>;
  readonly #decliners = new TokenBuckets<Mac>(DECLINES_PER_MAC, RELAYS_KEPT);
  readonly #declines = new TokenBuckets<string>(DECLINES_PER_SUBNET, RELAYS_KEPT);
  readonly #told = new Map<string, Told>();
  readonly limited = { mac: 0, relay: 0 };

  constructor(options: PacketGuardOptions) {
    this.#options = options;
    this.#macs = new NumberBuckets(options.perMac ?? PER_MAC, MAC_PLACES);
    this.#relays = new TokenBuckets(options.perRelay ?? PER_RELAY, RELAYS_KEPT);
  }

  /** False = drop it unread. */
  admits(bytes: Uint8Array, interfaceName: string): boolean {
    // Too short for a sender: the decoder says what is missing.
    if (bytes.length < CHADDR_END) return true;
    const now = this.#options.clock();
    let mac = 0;
    for (let i = CHADDR; i < CHADDR_END; i++) mac = mac * 256 + (bytes[i] ?? 0);
    if (!this.#macs.take(mac, now)) {
      this.limited.mac++;
      const sender = hexOf(bytes.subarray(CHADDR, CHADDR_END), ':');
      this.#tell('dhcp.limited', 'mac', interfaceName, (count) => ({
        message: `${count === 1 ? 'a DHCP packet was' : `${count} DHCP packets were`} dropped unread: ${sender} sends too many`,
        data: { sender, limit: (this.#options.perMac ?? PER_MAC).perSecond },
      }));
      return false;
    }
    let relayed = 0;
    for (let i = GIADDR; i < GIADDR + 4; i++) relayed = relayed * 256 + (bytes[i] ?? 0);
    const giaddr = relayed as Ipv4;
    if (!this.#relays.take(giaddr === UNSPECIFIED ? interfaceName : giaddr, now)) {
      const relay = giaddr === UNSPECIFIED ? interfaceName : formatIpv4(giaddr);
      this.limited.relay++;
      this.#tell('dhcp.limited', `relay ${relay}`, interfaceName, (count) => ({
        message: `too many DHCP packets come from ${giaddr === UNSPECIFIED ? 'the wire of' : 'the relay'} ${relay}: ${count} dropped unread`,
        data: { relay, limit: (this.#options.perRelay ?? PER_RELAY).perSecond },
      }));
      return false;
    }
    return true;
  }

  /** False = the address is not quarantined: each DECLINE takes one out of the pool, and anybody can send them. */
  admitsDecline(mac: Mac, subnet: string, interfaceName: string): boolean {
    const now = this.#options.clock();
    const isMany = !this.#decliners.take(mac, now);
    if (!isMany && this.#declines.take(subnet, now)) return true;
    const sender = isMany ? mac : 'all machines together';
    this.#tell('dhcp.limited', `decline ${isMany ? 'mac' : subnet}`, interfaceName, (count) => ({
      message: `${count === 1 ? 'a DECLINE was' : `${count} DECLINEs were`} not believed: ${sender} in ${subnet} found too many addresses in use (a router that answers all ARP, or an attack)`,
      data: { sender, subnet },
    }));
    return false;
  }

  /** `field`: what is broken; the kind by which such packets are counted. */
  malformed(field: string, reason: string, interfaceName: string): void {
    this.#tell('dhcp.malformed', field, interfaceName, (count) => ({
      message: `${count === 1 ? 'a broken DHCP packet was' : `${count} broken DHCP packets were`} dropped on ${interfaceName}: ${reason}`,
      data: { field },
    }));
  }

  #tell(
    kind: string,
    key: string,
    interfaceName: string,
    words: (count: number) => Pick<NewEvent, 'message' | 'data'>,
  ): void {
    const now = this.#options.clock();
    const id = `${kind} ${key} ${interfaceName}`;
    let told = this.#told.get(id);
    if (told === undefined) {
      if (this.#told.size >= KINDS_KEPT) this.#told.clear();
      told = { count: 0, toldAt: Number.NEGATIVE_INFINITY, toldCount: 0 };
      this.#told.set(id, told);
    }
    told.count++;
    if (now - told.toldAt < PERIOD_MS) return;
    const count = told.count - told.toldCount;
    const { message, data } = words(count);
    told.toldAt = now;
    told.toldCount = told.count;
    this.#options.record({
      source: 'dhcp',
      kind,
      level: 'warning',
      message,
      data: { ...data, interface: interfaceName, count },
    });
  }
}
