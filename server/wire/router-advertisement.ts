import { type Mac, macToBytes } from '../domain/mac.js';
import { Writer } from './writer.js';

const IPV6_HEADER = 40;
const ADVERTISEMENT = 16;
const ICMPV6 = 58;
/** Of neighbour discovery: anything less was forwarded by somebody and is dropped (RFC 4861, section 6.1.2). */
const HOP_LIMIT = 255;
const ROUTER_ADVERTISEMENT = 134;

/**
 * An IPv6 packet that tells one machine "there is no router here": a router advertisement of lifetime 0, without prefix, without a
 * word of DHCPv6 (RFC 4861, section 4.2), from the link-local address of one card to that of another. Only iPXE, which is waiting for one, makes
 * anything of it: its IPv6 is then configured.
 *
 * ```
 * IPv6  | 6, class, flow (4) | length (2) | 58 | 255 | source (16) | destination (16) |
 * ICMP  | 134 | 0 | checksum (2) | hop limit 0 | flags 0 | lifetime 0 (2) | reachable 0 (4) | retransmit 0 (4) |
 * ```
 */
export function encodeNoRouter(from: Mac, to: Mac): Uint8Array {
  const writer = new Writer(IPV6_HEADER + ADVERTISEMENT);
  writer.u32(0x6000_0000, 'version, class and flow');
  writer.u16(ADVERTISEMENT, 'payload length');
  writer.u8(ICMPV6, 'next header');
  writer.u8(HOP_LIMIT, 'hop limit');
  writer.bytes(linkLocal(from), 'source');
  writer.bytes(linkLocal(to), 'destination');
  writer.u8(ROUTER_ADVERTISEMENT, 'type');
  writer.u8(0, 'code');
  writer.u16(0, 'checksum');
  writer.u8(0, 'hop limit for others');
  writer.u8(0, 'flags');
  writer.u16(0, 'router lifetime');
  writer.u32(0, 'reachable time');
  writer.u32(0, 'retransmission timer');
  const bytes = writer.finish();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setUint16(IPV6_HEADER + 2, checksum(view));
  return bytes;
}

/** fe80::/64 and the MAC as modified EUI-64 (RFC 4291, appendix A): what iPXE gives itself. */
function linkLocal(mac: Mac): Uint8Array {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = macToBytes(mac);
  return Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f);
}

/** Over the pseudo header (both addresses, length, protocol) and the message (RFC 8200, section 8.1). */
function checksum(view: DataView): number {
  let total = ADVERTISEMENT + ICMPV6;
  for (let at = 8; at < IPV6_HEADER + ADVERTISEMENT; at += 2) total += view.getUint16(at);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return ~total & 0xffff;
}
