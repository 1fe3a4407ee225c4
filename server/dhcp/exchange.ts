import type { DhcpFacts, DhcpStep } from '../boot/contract.js';
import type { DhcpContext } from '../decide/dhcp-decision.js';
import { contains, type Ipv4, UNSPECIFIED } from '../domain/ipv4.js';
import type { Subnet } from '../domain/site.js';
import { type DhcpPacket, decodePacket } from '../wire/dhcp/packet.js';
import { WireError } from '../wire/wire-error.js';
import { LARGEST_MESSAGE } from './datagrams.js';
import type { DhcpLink } from './socket.js';

/** One packet on its way to its answer. */
export interface Exchange {
  readonly request: DhcpPacket;
  readonly facts: DhcpFacts;
  readonly context: DhcpContext;
  readonly link: DhcpLink;
  /** When it came, in milliseconds of `performance.now`. */
  readonly began: number;
}

/**
 * iPXE waits 13 s for an IPv6 router where there is none, beside its DHCP and after it (docs/hardware.md). Its last answer from us is
 * the moment to say so; machines behind a relay are not on our wire.
 */
export function endsIpv6Wait({ facts, context, request }: Exchange, { message }: DhcpStep): boolean {
  const { subnet } = context;
  const last = subnet.mode === 'full' ? 'ack' : 'offer';
  return subnet.ipv6Router === 'none' && facts.client === 'ipxe' && message === last && request.giaddr === UNSPECIFIED;
}

/** The first datagram of a turn comes from dgram, whatever its size. */
export function decode(bytes: Uint8Array): DhcpPacket {
  if (bytes.length > LARGEST_MESSAGE) throw new WireError('datagram', 'is larger than any DHCP message');
  return decodePacket(bytes);
}

/** How clients on this subnet reach us: our address in it, else the configured one. */
export function addressTowards(link: Pick<DhcpLink, 'addresses'>, subnet: Subnet, fallback: Ipv4): Ipv4 {
  return link.addresses.find((address) => contains(subnet.cidr, address)) ?? fallback;
}
