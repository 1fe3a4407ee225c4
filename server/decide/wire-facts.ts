import { contains, formatIpv4, type Ipv4, UNSPECIFIED } from '../domain/ipv4.js';
import type { DhcpMode, Subnet } from '../domain/site.js';
import { hex } from '../wire/dhcp/option-kinds.js';
import { getOption } from '../wire/dhcp/options.js';
import type { DhcpPacket } from '../wire/dhcp/packet.js';
import { relayInfo, relayWord } from '../wire/dhcp/relay.js';

/** Something that a packet says about the network it came through, whoever sent it. */
export interface WireFact {
  readonly kind: 'server' | 'relay' | 'network';
  /** Two packets that say the same have the same address here. */
  readonly address: Ipv4;
  /** One sentence. */
  readonly text: string;
  readonly data: Readonly<Record<string, string>>;
}

export interface WirePlace {
  readonly interface: string;
  readonly mode: DhcpMode;
  /** Every address of this server. */
  readonly ownAddresses: readonly Ipv4[];
  readonly subnets: readonly Subnet[];
  /** Where a reply came from; a request's source says nothing. */
  readonly from?: Ipv4;
}

/**
 * Other DHCP servers (option 54 of their replies, and of requests that name them), relays, and networks that are not configured.
 * VLAN tags cannot be seen: the kernel takes them off before a socket hears the packet. What shows instead is a relay that
 * stands in a network nobody has configured.
 */
export function wireFacts(packet: DhcpPacket, place: WirePlace): readonly WireFact[] {
  const relay = relayInfo(packet.options);
  const facts: WireFact[] = [];
  const server = getOption(packet.options, 'serverId') ?? (packet.op === 'reply' ? place.from : undefined);
  // A relay may have had itself named as the server, by us (RFC 5107).
  const isOurs =
    server === undefined || place.ownAddresses.includes(server) || server === relayWord(packet)?.serverIdOverride;
  if (!isOurs && server !== UNSPECIFIED) {
    const type = getOption(packet.options, 'messageType') ?? 'BOOTP reply';
    const how = packet.op === 'reply' ? `sent a DHCP ${type}` : `is named by a client’s DHCP ${type}`;
    facts.push({
      kind: 'server',
      address: server,
      text: `another DHCP server, ${formatIpv4(server)}, ${how} on ${place.interface}`,
      data: {
        server: formatIpv4(server),
        seenBy: type,
        ...(place.from === undefined ? {} : { from: formatIpv4(place.from) }),
      },
    });
  }
  if (packet.op === 'request' && packet.giaddr !== UNSPECIFIED) {
    const text = formatIpv4(packet.giaddr);
    facts.push({
      kind: 'relay',
      address: packet.giaddr,
      text: `a DHCP relay, ${text}, forwards to ${place.interface}`,
      data: {
        relay: text,
        ...(relay?.circuitId === undefined ? {} : { circuitId: hex(relay.circuitId) }),
        ...(relay?.remoteId === undefined ? {} : { remoteId: hex(relay.remoteId) }),
      },
    });
    if (!place.subnets.some(({ cidr }) => contains(cidr, packet.giaddr))) {
      facts.push({
        kind: 'network',
        address: packet.giaddr,
        text: `${text} relays for a network outside of the configured subnets: another VLAN or site is forwarded here`,
        data: { relay: text },
      });
    }
  }
  return facts;
}
