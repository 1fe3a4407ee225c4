import type { BootOffer, DhcpFacts, DhcpStep } from '../boot/contract.js';
import type { Diagnosis } from '../domain/boot-session.js';
import type { Ipv4 } from '../domain/ipv4.js';
import type { LeaseChange } from '../domain/lease.js';
import type { Machine } from '../domain/machine.js';
import type { Role } from '../domain/role.js';
import type { ServerIdentity, Subnet } from '../domain/site.js';
import type { DhcpPacket } from '../wire/dhcp/packet.js';
import type { Addresses } from './lease.js';
import type { ReplyPath } from './reply-path.js';

/** Everything a decision needs besides the packet. */
export interface DhcpContext {
  readonly facts: DhcpFacts;
  readonly machine?: Machine | undefined;
  /** Whose options it gets. */
  readonly role?: Role | undefined;
  readonly subnet: Subnet;
  readonly identity: ServerIdentity;
  /** How clients of this interface (or relay, RFC 5107) name us in option 54. */
  readonly serverId: Ipv4;
  /** Every address a client may know us by. */
  readonly ownAddresses: readonly Ipv4[];
  readonly addresses: Addresses;
  readonly bootOffer: () => BootOffer;
  /** Epoch seconds. */
  readonly now: number;
}

export interface DhcpReply {
  readonly kind: 'reply';
  readonly message: DhcpPacket;
  readonly path: ReplyPath;
  readonly step: DhcpStep;
  /** A new address for this NIC: may be looked for on the wire before it is offered. */
  readonly isNew?: true;
  /** Keep this address for the NIC until its REQUEST comes. */
  readonly hold?: Ipv4;
  /** Must be durable before the reply leaves. */
  readonly change?: LeaseChange;
  /** What to answer when another server took the address between memory and store. */
  readonly onConflict?: () => DhcpReply;
}

export type DhcpDecision =
  /** `quiet`: nothing that this server has to do with, so no event either. */
  | { readonly kind: 'ignore'; readonly reason: string; readonly quiet?: true; readonly diagnosis?: Diagnosis }
  /** Nothing to answer or to save, but it belongs into the timeline. */
  | { readonly kind: 'note'; readonly step: DhcpStep }
  | DhcpReply
  | DhcpRecord;

/** DECLINE and RELEASE: something to save, nothing to answer. */
export interface DhcpRecord {
  readonly kind: 'record';
  readonly step: DhcpStep;
  readonly change: LeaseChange;
}
