import { contains, type Ipv4 } from '../domain/ipv4.js';
import type { DhcpMode, Subnet } from '../domain/site.js';

/** What the operator may change while the server runs. */
export interface DhcpSite {
  readonly subnets: readonly Subnet[];
  /** For packets from outside of all subnets. */
  readonly mode: DhcpMode;
}

const isLocal = (subnet: Subnet, addresses: readonly Ipv4[]): boolean =>
  addresses.some((address) => contains(subnet.cidr, address));

/**
 * Whether port 67 is opened on an interface with these addresses. Not when all that is on it is off. A subnet that no interface
 * has an address in (`all`) is reached through relays, and they may speak to any of our addresses.
 */
export function needsLink(addresses: readonly Ipv4[], all: readonly Ipv4[], { subnets, mode }: DhcpSite): boolean {
  const local = subnets.filter((subnet) => isLocal(subnet, addresses));
  const remote = subnets.filter((subnet) => !isLocal(subnet, all));
  const modes = [...(local.length > 0 ? local : [{ mode }]), ...remote].map((entry) => entry.mode);
  return modes.some((word) => word !== 'off');
}

/** The same for port 4011: only where a subnet is in proxy mode. */
export function needsSecondLeg(addresses: readonly Ipv4[], all: readonly Ipv4[], { subnets }: DhcpSite): boolean {
  return subnets.some((subnet) => subnet.mode === 'proxy' && (isLocal(subnet, addresses) || !isLocal(subnet, all)));
}
