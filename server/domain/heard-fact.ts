import type { Ipv4 } from './ipv4.js';

/** Something that was heard about a network since the start of the server, and how often. Times are epoch ms. */
export interface HeardFact {
  /** Another DHCP server · a relay · a relay of a network that is not configured · a VLAN interface of this server. */
  readonly kind: 'server' | 'relay' | 'network' | 'vlan';
  /** Absent for `vlan`. */
  readonly address?: Ipv4;
  readonly interface: string;
  /** One sentence. */
  readonly text: string;
  readonly count: number;
  readonly firstSeenAt: number;
  readonly lastSeenAt: number;
}
