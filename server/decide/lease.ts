import { contains, formatCidr, formatIpv4, type Ipv4 } from '../domain/ipv4.js';
import type { Lease } from '../domain/lease.js';
import type { Mac } from '../domain/mac.js';
import type { Machine } from '../domain/machine.js';
import type { Subnet } from '../domain/site.js';

/** What the rules need to know of addresses; answered from memory. Times are epoch seconds. */
export interface Addresses {
  /** The last lease of this address, expired ones included. */
  leaseAt(address: Ipv4): Lease | undefined;
  /** The last leases of this NIC, at most one a subnet. */
  leasesOf(mac: Mac): readonly Lease[];
  /** Who was offered the address and has not asked for it yet. */
  holderOf(address: Ipv4, now: number): Mac | undefined;
  /** The address that was offered to this NIC in the subnet. */
  heldBy(mac: Mac, subnet: Subnet, now: number): Ipv4 | undefined;
  /** The machine whose reserved address this is. */
  reservedFor(address: Ipv4): Machine | undefined;
  /** In a pool for machines of this kind, and neither excluded nor the router's nor this server's own. */
  inPool(address: Ipv4, known: boolean): boolean;
  /** Of the last addresses of a pool for all: unknown machines leave them to registered ones. */
  isKept(address: Ipv4, known: boolean): boolean;
  /** Most of what unknown machines can get in the subnet is in use. */
  isCrowded(subnet: Subnet): boolean;
  /** How many addresses other NICs behind this port have (subnets with `leasesPerPort`). */
  leasesAtPort(port: string, mac: Mac): number;
  /** How many addresses rest because this NIC found them in use. */
  quarantinedBy(mac: Mac, now: number): number;
  /**
   * An address that nobody has, or the one whose offer or quarantine is oldest; undefined = the pools for such machines are
   * empty.
   */
  free(subnet: Subnet, now: number, known: boolean): Ipv4 | undefined;
}

export interface LeaseSubject {
  readonly mac: Mac;
  readonly machine?: Machine | undefined;
  readonly subnet: Subnet;
  readonly now: number;
  readonly addresses: Addresses;
}

export const isLive = (lease: Lease, now: number): boolean => lease.state !== 'released' && lease.expiresAt > now;

/** The lease that this NIC has in the subnet, live or not. */
export function leaseInSubnet({ mac, subnet, addresses }: LeaseSubject): Lease | undefined {
  for (const lease of addresses.leasesOf(mac)) if (contains(subnet.cidr, lease.address)) return lease;
  return undefined;
}

/**
 * `elsewhere`: not an address of this subnet; `taken`: somebody else's, or resting after a DECLINE; `foreign`: in the subnet,
 * but not one that this server gives.
 */
export interface Refusal {
  readonly kind: 'elsewhere' | 'taken' | 'foreign';
  readonly reason: string;
}

/**
 * Why this NIC may not have the address; undefined = it may. A reservation binds an address to its machine; a live lease or
 * offer of another NIC keeps it; a declined address rests until its quarantine ends, unless it had to be offered before. A NIC has
 * one address in a subnet: while that lives it cannot take another that was not offered to it, or one machine could take all.
 */
export function refusalOf(subject: LeaseSubject, address: Ipv4): Refusal | undefined {
  const { mac, machine, subnet, now, addresses } = subject;
  const refuse = (kind: Refusal['kind'], problem: string): Refusal => ({
    kind,
    reason: `${formatIpv4(address)} ${problem}`,
  });
  if (!contains(subnet.cidr, address)) return refuse('elsewhere', `is not in ${formatCidr(subnet.cidr)}`);
  const reserved = addresses.reservedFor(address);
  if (reserved !== undefined && reserved.name !== machine?.name) {
    return refuse('taken', `is reserved for ${reserved.name}`);
  }
  const lease = addresses.leaseAt(address);
  const holder = addresses.holderOf(address, now);
  if (lease !== undefined && isLive(lease, now)) {
    if (lease.state === 'declined') {
      return holder === mac ? undefined : refuse('taken', `is in quarantine: ${lease.mac} found it in use`);
    }
    return lease.mac === mac || replaces(reserved, lease.mac)
      ? undefined
      : refuse('taken', `is leased to ${lease.mac}`);
  }
  if (holder !== undefined && holder !== mac) return refuse('taken', `is offered to ${holder}`);
  if (reserved !== undefined) return undefined;
  if (!addresses.inPool(address, machine !== undefined)) return refuse('foreign', 'is not in a pool');
  if (addresses.isKept(address, machine !== undefined)) return refuse('taken', KEPT);
  if (holder === mac) return undefined;
  const own = leaseInSubnet(subject);
  if (own === undefined || own.address === address || !isLive(own, now)) return undefined;
  return refuse('taken', `was not offered to it: it has ${formatIpv4(own.address)}`);
}

const KEPT = 'is one of the last of its pool, kept for registered machines';

/**
 * A machine that is told by its port or client id keeps its reserved address with another network card: the lease of the card
 * that was there before does not stand in its way. Cards that the machine lists are in service together, so theirs does.
 */
function replaces(reserved: Machine | undefined, before: Mac): boolean {
  if (reserved?.relay === undefined && reserved?.clientId === undefined) return false;
  return !reserved.macs.includes(before);
}

export type AddressChoice =
  | { readonly kind: 'address'; readonly address: Ipv4; readonly why: string }
  | { readonly kind: 'none'; readonly reason: string };

/**
 * The address to offer (RFC 2131, section 4.3.1): the reservation, else the one it has or had, else the one it was offered a
 * moment ago, else the one it asks for, else a free one. So one NIC keeps its address through firmware, iPXE and OS.
 */
export function chooseAddress(subject: LeaseSubject, requested: Ipv4 | undefined): AddressChoice {
  const { machine, subnet, mac, now, addresses } = subject;
  const wish =
    wished(subject, inSubnet(machine?.address, subnet), 'reserved for the machine') ??
    wished(subject, leaseInSubnet(subject)?.address, 'its last lease') ??
    wished(subject, addresses.heldBy(mac, subnet, now), 'offered before') ??
    wished(subject, inSubnet(requested, subnet), 'asked for');
  if (wish !== undefined) return wish;
  const free = addresses.free(subnet, now, machine !== undefined);
  if (free !== undefined) {
    const rests = addresses.leaseAt(free);
    const why = rests?.state === 'declined' && isLive(rests, now) ? 'in quarantine, and none is left but such' : 'free';
    return { kind: 'address', address: free, why };
  }
  const taken = machine?.address === undefined ? undefined : refusalOf(subject, machine.address);
  const kept = machine === undefined && addresses.free(subnet, now, true) !== undefined;
  return {
    kind: 'none',
    reason: `no address is free in ${formatCidr(subnet.cidr)}${taken === undefined ? '' : ` (${taken.reason})`}${kept ? ' for unknown machines' : ''}`,
  };
}

function wished(subject: LeaseSubject, address: Ipv4 | undefined, why: string): AddressChoice | undefined {
  if (address === undefined || !isGiven(subject, address) || refusalOf(subject, address) !== undefined)
    return undefined;
  return { kind: 'address', address, why };
}

/** Reserved for it, or of a pool for its kind: at a DISCOVER a machine leaves an address that is excluded or not for it any more. */
function isGiven({ machine, addresses }: LeaseSubject, address: Ipv4): boolean {
  const reserved = addresses.reservedFor(address);
  return reserved === undefined ? addresses.inPool(address, machine !== undefined) : reserved.name === machine?.name;
}

function inSubnet(address: Ipv4 | undefined, subnet: Subnet): Ipv4 | undefined {
  return address !== undefined && contains(subnet.cidr, address) ? address : undefined;
}

/** Under this a client that asks again at once (RFC 2131, section 3.1.5: after 10 s) would be given the same address. */
const SHORTEST_QUARANTINE = 60;

/**
 * How long an address rests after a DECLINE: one lease time. One that finds every address in use (a broken client, a router that
 * answers all ARP) is believed less each time.
 */
export function quarantineSeconds({ mac, subnet, now, addresses }: LeaseSubject): number {
  const trusted = Math.floor(subnet.leaseSeconds / 4 ** addresses.quarantinedBy(mac, now));
  return Math.min(subnet.leaseSeconds, Math.max(SHORTEST_QUARANTINE, trusted));
}

/** What an unknown machine is given first when addresses get scarce: a flood that asks once is over this long after its end. */
const FIRST_LEASE = 300;
/** A machine that still asks after this is there; its firmware and iPXE may well be done sooner. */
const IS_THERE = 60;

/**
 * How long the address is given for: `leaseTime`, but for unknown machines in a crowded pool until they have shown to stay. Never
 * less than what was promised before: the ACK that says so may get lost.
 */
export function leaseSecondsFor({ mac, machine, subnet, now, addresses }: LeaseSubject, address: Ipv4): number {
  if (machine !== undefined || subnet.leaseSeconds <= FIRST_LEASE || !addresses.isCrowded(subnet)) {
    return subnet.leaseSeconds;
  }
  const before = addresses.leaseAt(address);
  if (before?.mac !== mac || before.state !== 'active' || !isLive(before, now)) return FIRST_LEASE;
  if (now - before.startedAt >= IS_THERE) return subnet.leaseSeconds;
  return Math.min(subnet.leaseSeconds, Math.max(FIRST_LEASE, before.expiresAt - now));
}

/** The lease as it is after the ACK. A renewal keeps the time at which it started. */
export function grantedLease(
  subject: LeaseSubject,
  address: Ipv4,
  leaseSeconds: number,
  seen: { readonly clientId?: string | undefined; readonly hostname?: string | undefined },
): Lease {
  const { mac, now, addresses } = subject;
  const before = addresses.leaseAt(address);
  const renewed = before?.mac === mac && before.state === 'active' && isLive(before, now);
  const lease: { -readonly [K in keyof Lease]: Lease[K] } = {
    address,
    mac,
    state: 'active',
    startedAt: renewed ? before.startedAt : now,
    expiresAt: now + leaseSeconds,
  };
  if (seen.clientId !== undefined) lease.clientId = seen.clientId;
  if (seen.hostname !== undefined) lease.hostname = seen.hostname;
  return lease;
}
