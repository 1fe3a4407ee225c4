import type { Ipv4 } from './ipv4.js';
import type { Mac } from './mac.js';

/** A dynamic or reserved address given to a NIC. Keyed by address; one lease per MAC and subnet (docs/hardware.md: one machine sends different client ids). */
export interface Lease {
  readonly address: Ipv4;
  readonly mac: Mac;
  /** Hex of option 61, evidence only. */
  readonly clientId?: string;
  readonly hostname?: string;
  /** `active` may be extended; `declined` is quarantined until expiresAt; `released` keeps the address for the same MAC. */
  readonly state: 'active' | 'released' | 'declined';
  /** Epoch seconds. */
  readonly startedAt: number;
  /** Epoch seconds. */
  readonly expiresAt: number;
}

/** A change of one address: what it becomes, and what must stand there for that (undefined = nothing). */
export interface LeaseChange {
  readonly lease: Lease;
  readonly expected: Lease | undefined;
  /** The port of a relay that it is behind, where a subnet limits addresses by port. */
  readonly port?: string;
}
