import { type Ipv4, UNSPECIFIED } from '../domain/ipv4.js';
import type { Mac } from '../domain/mac.js';
import type { MessageType } from '../wire/dhcp/option-kinds.js';
import { clientMac, type DhcpPacket } from '../wire/dhcp/packet.js';

/**
 * Where a reply goes. `link` is a unicast to a client that has no address yet and so cannot answer ARP: the frame is addressed
 * by its MAC.
 */
export type ReplyPath =
  | { readonly kind: 'relay'; readonly to: Ipv4 }
  | { readonly kind: 'unicast'; readonly to: Ipv4 }
  | { readonly kind: 'broadcast' }
  | { readonly kind: 'link'; readonly to: Ipv4; readonly mac: Mac };

/** RFC 2131, section 4.1. A relay listens on the server port (67), everybody else on 68. */
export function replyPath(
  request: DhcpPacket,
  reply: { readonly type: MessageType; readonly yiaddr: Ipv4 },
): ReplyPath {
  if (request.giaddr !== UNSPECIFIED) return { kind: 'relay', to: request.giaddr };
  // A refused client must not use its address any more, so nothing can be sent to that address.
  if (reply.type === 'nak') return { kind: 'broadcast' };
  if (request.ciaddr !== UNSPECIFIED) return { kind: 'unicast', to: request.ciaddr };
  if (request.flags.broadcast || reply.yiaddr === UNSPECIFIED) return { kind: 'broadcast' };
  return { kind: 'link', to: reply.yiaddr, mac: clientMac(request) };
}

/** `relay 10.0.0.1`, `broadcast`: for events and logs. */
export function describePath(path: ReplyPath, format: (address: Ipv4) => string): string {
  switch (path.kind) {
    case 'relay':
      return `relay ${format(path.to)}`;
    case 'unicast':
      return `unicast ${format(path.to)}`;
    case 'link':
      return `unicast ${path.mac}`;
    case 'broadcast':
      return 'broadcast';
  }
}
