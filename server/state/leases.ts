import { conflict } from '../domain/errors.js';
import { contains, formatIpv4, type Ipv4, UNSPECIFIED } from '../domain/ipv4.js';
import type { Lease, LeaseChange } from '../domain/lease.js';
import type { Mac } from '../domain/mac.js';
import type { Machine } from '../domain/machine.js';
import { NumberMap } from '../domain/number-map.js';
import type { Subnet } from '../domain/site.js';
import { AddressesByMac } from './addresses-by-mac.js';
import { type Hold, Holds } from './holds.js';
import { MinHeap } from './min-heap.js';
import { Pools, type PoolUsage } from './pools.js';
import { PortLeases } from './port-leases.js';

/** The part of the store that makes leases durable (domain/ports.ts). */
export interface LeaseStore {
  claimLease(lease: Lease, expected: Lease | undefined): Promise<'ok' | 'conflict'>;
  lease(address: Ipv4): Promise<Lease | undefined>;
}

export interface LeaseBookOptions {
  /** As loaded from the store. */
  readonly leases: Iterable<Lease>;
  readonly subnets: readonly Subnet[];
  /** Never given from a pool: addresses of this server. Routers and the ends of a subnet are left out anyway. */
  readonly excluded: Iterable<Ipv4>;
  /** The machine whose reserved address this is; asked at each use, so reservations may change at any time. */
  readonly reservedFor: (address: Ipv4) => Machine | undefined;
  /** How many registered machines have no address of their own: some are kept for them. Default: none. */
  readonly unaddressed?: () => number;
  readonly store: LeaseStore;
}

const NONE: readonly Lease[] = [];

/** Firmware that wants an offer asks for it within 4 s (docs/hardware.md: OVMF); an older one is not wanted. */
const UNWANTED_SECONDS = 10;

/**
 * Who has, had or was offered which address; every question is O(1), allocation too on average. Changed only together with
 * the store: `save` puts the lease in at once, so that packets that follow see it, and takes it back when the store refuses;
 * nobody may answer before `save` has resolved. Times are epoch seconds.
 */
export class LeaseBook {
  readonly #options: LeaseBookOptions;
  readonly #leases = new NumberMap<Lease>();
  readonly #leasedTo = new AddressesByMac();
  readonly #holds = new Holds();
  /** The one that rests longest first. */
  readonly #quarantined = new Set<Ipv4>();
  readonly #ports = new PortLeases();
  readonly #pools: Pools;
  /** Address and the time at which its lease may be over. */
  readonly #ends = new MinHeap<Ipv4>();
  /** Addresses with a change on its way to the store, and what is known to be durable there. */
  readonly #flights = new NumberMap<{ durable: Lease | undefined; open: number }>();
  /** Nothing is over before this second: whole seconds count. */
  #expiredAt = Number.NaN;

  constructor(options: LeaseBookOptions) {
    this.#options = options;
    this.#pools = new Pools(options);
    this.configure(options.subnets);
    const leases = [...options.leases].sort((a, b) => a.startedAt - b.startedAt);
    for (const lease of leases) this.#put(lease, lease.address);
  }

  /**
   * Other subnets and pools from now on (the configuration was read again). Leases and offers stay as they are, those outside
   * the new pools too: they end in their own time. New pools are looked through from their beginning.
   */
  configure(subnets: readonly Subnet[]): void {
    this.#pools.configure(subnets);
    for (const { address, state, expiresAt } of this.#leases.values()) {
      if (state === 'released') continue;
      this.#pools.mark(address, true);
      // Counted until then; for those that ended before it is over at once.
      this.#ending(expiresAt, address);
    }
  }

  /** Every lease on record, expired and released ones too, in no order. */
  all(): Iterable<Lease> {
    return this.#leases.values();
  }

  /** The address this NIC was given; the one that lasts longest if there are several. */
  addressOf(mac: Mac): Ipv4 | undefined {
    return this.#newest(mac)?.address;
  }

  leaseAt(address: Ipv4): Lease | undefined {
    return this.#leases.get(address);
  }

  leasesOf(mac: Mac): readonly Lease[] {
    const its = this.#leasedTo.of(mac);
    if (its.length === 0) return NONE;
    const found: Lease[] = [];
    for (const address of its) {
      const lease = this.#leases.get(address);
      if (lease !== undefined && lease.state !== 'declined') found.push(lease);
    }
    return found.length === 1 ? found : found.sort((a, b) => b.expiresAt - a.expiresAt);
  }

  holderOf(address: Ipv4, now: number): Mac | undefined {
    return this.#holds.holderOf(address, now);
  }

  heldBy(mac: Mac, subnet: Subnet, now: number): Ipv4 | undefined {
    for (const address of this.#holds.heldFor(mac)) {
      if (contains(subnet.cidr, address) && this.holderOf(address, now) === mac) return address;
    }
    return undefined;
  }

  reservedFor(address: Ipv4): Machine | undefined {
    return this.#options.reservedFor(address);
  }

  inPool(address: Ipv4, known: boolean): boolean {
    return this.#pools.holds(address, known);
  }

  isKept(address: Ipv4, known: boolean): boolean {
    return this.#pools.isKept(address, known);
  }

  isCrowded(subnet: Subnet): boolean {
    return this.#pools.isCrowded(subnet);
  }

  /** How full the pools are, one row for each subnet with a pool. */
  usage(now: number): readonly PoolUsage[] {
    this.#expire(now);
    return this.#pools.usage();
  }

  leasesAtPort(port: string, mac: Mac): number {
    let count = 0;
    for (const address of this.#ports.at(port)) if (this.#leases.get(address)?.mac !== mac) count++;
    return count;
  }

  quarantinedBy(mac: Mac, now: number): number {
    let count = 0;
    for (const address of this.#leasedTo.of(mac)) {
      const lease = this.#leases.get(address);
      if (lease?.state === 'declined' && lease.expiresAt > now) count++;
    }
    return count;
  }

  /**
   * A free address. When none is left, the one whose offer has waited longest, or, while that is young, the one that has been in
   * quarantine longest: neither a flood of DISCOVERs nor one of DECLINEs empties a pool.
   */
  free(subnet: Subnet, now: number, known = false): Ipv4 | undefined {
    this.#expire(now);
    const isFree = (address: Ipv4): boolean =>
      !this.#holds.has(address) && !this.#isLeased(address, now) && this.#mayBeGiven(address);
    const isUnused = (address: Ipv4): boolean => !this.#leases.has(address) && isFree(address);
    const open = this.#pools.openTo(subnet, known);
    for (const { pool } of open) {
      const found = pool.peek(isUnused, isFree, now);
      if (found !== undefined) return found;
    }
    if (open.length === 0) return undefined;
    const mayBeGiven = (address: Ipv4): boolean =>
      this.#mayBeGiven(address) && open.some(({ pool }) => pool.includes(address));
    const hold = this.#oldestHold(subnet, now, mayBeGiven);
    if (hold !== undefined && now - hold.since >= UNWANTED_SECONDS) return hold.address;
    return this.#oldestQuarantine(mayBeGiven) ?? hold?.address;
  }

  /** Keeps `address` for this NIC until its REQUEST comes; an earlier offer to it in the subnet is dropped. */
  hold(address: Ipv4, mac: Mac, now: number): void {
    this.#expire(now);
    for (const other of this.#holds.heldFor(mac)) {
      if (this.#pools.subnetOf(other) === this.#pools.subnetOf(address)) this.#dropHold(other);
    }
    this.#holds.drop(address);
    this.#holds.add(address, mac, now, this.#pools.subnetOf(address)?.cidr.network ?? UNSPECIFIED);
  }

  /**
   * Makes the change durable. `conflict`: another server has the address; from now on what it wrote holds here too. Rejects with
   * the store's error; then nothing has changed.
   */
  async save(change: LeaseChange, now: number): Promise<'ok' | 'conflict'> {
    const { lease, expected } = change;
    const { address } = lease;
    const flight = this.#flights.get(address) ?? { durable: expected, open: 0 };
    this.#flights.set(address, flight);
    flight.open++;
    this.#expire(now);
    this.#put(lease, address);
    if (change.port !== undefined) this.#ports.took(change.port, address);
    let outcome: 'ok' | 'conflict' | undefined;
    try {
      outcome = await this.#options.store.claimLease(lease, expected);
      if (outcome === 'conflict' && flight.durable !== expected) {
        // Not another server: the change that this one follows has failed, so what it expects was never written.
        outcome = await this.#options.store.claimLease(lease, flight.durable);
      }
      flight.durable = outcome === 'ok' ? lease : await this.#options.store.lease(address);
      return outcome;
    } finally {
      flight.open--;
      if (flight.open === 0) this.#flights.delete(address);
      if (outcome !== 'ok' && this.#leases.get(address) === lease) {
        this.#put(flight.durable, address);
      }
    }
  }

  /**
   * Extends the lease of a machine that keeps its address statically and speaks to us by heartbeats. Writes only when half of
   * the lease time is over, as a DHCP client would. False = it has no lease that can be extended.
   */
  async renew(mac: Mac, now: number): Promise<boolean> {
    const lease = this.#newest(mac);
    const subnet = lease === undefined ? undefined : this.#pools.subnetOf(lease.address);
    if (lease === undefined || subnet === undefined || lease.state !== 'active') return false;
    const holder = this.holderOf(lease.address, now);
    if (lease.expiresAt <= now && holder !== undefined && holder !== mac) return false;
    if (lease.expiresAt - now > subnet.leaseSeconds / 2) return true;
    const change = { lease: { ...lease, expiresAt: now + subnet.leaseSeconds }, expected: lease };
    const outcome = await this.save(change, now);
    return outcome === 'ok';
  }

  /**
   * Ends a lease or a quarantine before its time: the address can be given to another NIC. Undefined = nothing is on record.
   * Throws `conflict` when the address changes hands at this moment.
   */
  async release(address: Ipv4, now: number): Promise<Lease | undefined> {
    const lease = this.#leases.get(address);
    if (lease === undefined || lease.state === 'released') return lease;
    const released: Lease = { ...lease, state: 'released', expiresAt: Math.min(lease.expiresAt, now) };
    if ((await this.save({ lease: released, expected: lease }, now)) === 'ok') return released;
    throw conflict(`${formatIpv4(address)} is being given to somebody else just now`, { remedy: 'look again' });
  }

  #newest(mac: Mac): Lease | undefined {
    return this.leasesOf(mac).find((lease) => lease.state === 'active');
  }

  #isLeased(address: Ipv4, now: number): boolean {
    const lease = this.#leases.get(address);
    return lease !== undefined && lease.state !== 'released' && lease.expiresAt > now;
  }

  #mayBeGiven(address: Ipv4): boolean {
    return !this.#pools.isExcluded(address) && this.#options.reservedFor(address) === undefined;
  }

  #put(lease: Lease | undefined, address: Ipv4): void {
    const before = this.#leases.get(address);
    if (before !== undefined && before.mac !== lease?.mac) {
      this.#leasedTo.remove(before.mac, address);
      this.#ports.left(address);
    }
    this.#mark(address, lease !== undefined && lease.state !== 'released');
    if (lease === undefined) {
      this.#leases.delete(address);
      this.#quarantined.delete(address);
      this.#pools.giveBack(address);
      return;
    }
    this.#leases.set(address, lease);
    this.#quarantined.delete(address);
    if (lease.state === 'declined') this.#quarantined.add(address);
    this.#leasedTo.add(lease.mac, address);
    this.#holds.drop(address);
    if (lease.state === 'released') this.#pools.giveBack(address);
    else this.#ending(lease.expiresAt, address);
  }

  #mark(address: Ipv4, isUsed: boolean): void {
    this.#pools.mark(address, isUsed);
    if (!isUsed) this.#ports.left(address);
  }

  #dropHold(address: Ipv4): void {
    if (this.#holds.drop(address)) this.#pools.giveBack(address);
  }

  #ending(expiresAt: number, address: Ipv4): void {
    this.#ends.push(expiresAt, address);
    if (expiresAt <= this.#expiredAt) this.#expiredAt = Number.NaN;
  }

  #expire(now: number): void {
    if (now === this.#expiredAt) return;
    this.#expiredAt = now;
    for (const { address } of this.#holds.due(now)) this.#dropHold(address);
    for (let address = this.#ends.popDue(now); address !== undefined; address = this.#ends.popDue(now)) {
      if (this.#isLeased(address, now)) continue;
      this.#mark(address, false);
      this.#pools.giveBack(address);
    }
  }

  #oldestHold(subnet: Subnet, now: number, mayBeGiven: (address: Ipv4) => boolean): Hold | undefined {
    for (const hold of this.#holds.inOrder(subnet.cidr.network)) {
      const { address } = hold;
      const isInUse = this.#isLeased(address, now) && !this.#quarantined.has(address);
      if (!isInUse && mayBeGiven(address)) return hold;
    }
    return undefined;
  }

  #oldestQuarantine(mayBeGiven: (address: Ipv4) => boolean): Ipv4 | undefined {
    for (const address of this.#quarantined) if (!this.#holds.has(address) && mayBeGiven(address)) return address;
    return undefined;
  }
}
