import { contains, formatIpv4, type Ipv4, UNSPECIFIED } from '../domain/ipv4.js';
import type { Subnet } from '../domain/site.js';
import { getOption } from '../wire/dhcp/options.js';
import type { DhcpPacket } from '../wire/dhcp/packet.js';
import { relayWord } from '../wire/dhcp/relay.js';

export interface SubnetPlace {
  readonly subnets: readonly Subnet[];
  /** Addresses of the interface that heard the packet. */
  readonly interfaceAddresses: readonly Ipv4[];
  /** Addresses of all interfaces of this server. */
  readonly ownAddresses: readonly Ipv4[];
}

export type SubnetChoice =
  | { readonly kind: 'subnet'; readonly subnet: Subnet }
  | { readonly kind: 'none'; readonly reason: string };

/**
 * The subnet that a client is on. The relay's word comes first: link selection (RFC 3527), subnet selection (RFC 3011), then
 * giaddr. Without a relay it is the subnet of the interface; a renewal sent by unicast from behind a relay carries no giaddr,
 * there ciaddr tells, unless it belongs to another wire of this server: then the client has moved.
 */
export function selectSubnet(packet: DhcpPacket, place: SubnetPlace): SubnetChoice {
  const selected =
    relayWord(packet)?.linkSelection ??
    getOption(packet.options, 'subnetSelection') ??
    (packet.giaddr === UNSPECIFIED ? undefined : packet.giaddr);
  if (selected !== undefined) {
    const subnet = subnetOf(place.subnets, selected);
    if (subnet !== undefined) return { kind: 'subnet', subnet };
    return { kind: 'none', reason: `no subnet holds ${formatIpv4(selected)}, which the relay or client named` };
  }
  const local = place.subnets.find(({ cidr }) => place.interfaceAddresses.some((own) => contains(cidr, own)));
  if (packet.ciaddr !== UNSPECIFIED && (local === undefined || !contains(local.cidr, packet.ciaddr))) {
    const remote = subnetOf(place.subnets, packet.ciaddr);
    if (remote !== undefined && !place.ownAddresses.some((own) => contains(remote.cidr, own))) {
      return { kind: 'subnet', subnet: remote };
    }
  }
  if (local !== undefined) return { kind: 'subnet', subnet: local };
  return { kind: 'none', reason: 'the interface that heard it has no address in a configured subnet' };
}

function subnetOf(subnets: readonly Subnet[], address: Ipv4): Subnet | undefined {
  return subnets.find(({ cidr }) => contains(cidr, address));
}
