import type { Ipv4 } from '../domain/ipv4.js';
import { Writer } from './writer.js';

export interface UdpFrame {
  readonly from: Ipv4;
  readonly fromPort: number;
  readonly to: Ipv4;
  readonly toPort: number;
  readonly payload: Uint8Array;
}

const IPV4_HEADER = 20;
const UDP_HEADER = 8;
const LARGEST = 65_535;
const DO_NOT_FRAGMENT = 0x4000;
const TIME_TO_LIVE = 64;
const UDP = 17;

/**
 * An IPv4 packet with one UDP datagram (RFC 791, RFC 768), for a client that cannot be reached through the kernel's routing
 * because it has no address yet. Both checksums are filled in: firmware checks them.
 */
export function encodeUdpFrame(frame: UdpFrame): Uint8Array {
  const { payload } = frame;
  const writer = new Writer(LARGEST);
  writer.u8(0x45, 'version and header length');
  writer.u8(0, 'type of service');
  writer.u16(IPV4_HEADER + UDP_HEADER + payload.length, 'total length');
  writer.u16(0, 'identification');
  writer.u16(DO_NOT_FRAGMENT, 'fragment');
  writer.u8(TIME_TO_LIVE, 'time to live');
  writer.u8(UDP, 'protocol');
  writer.u16(0, 'header checksum');
  writer.u32(frame.from, 'source');
  writer.u32(frame.to, 'destination');
  writer.u16(frame.fromPort, 'source port');
  writer.u16(frame.toPort, 'destination port');
  writer.u16(UDP_HEADER + payload.length, 'UDP length');
  writer.u16(0, 'UDP checksum');
  writer.bytes(payload, 'payload');
  const bytes = writer.finish();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setUint16(10, checksum(view, 0, IPV4_HEADER, 0));
  // The pseudo header: both addresses, the protocol and the UDP length (RFC 768).
  const pseudo = sum(view, 12, IPV4_HEADER, UDP + UDP_HEADER + payload.length);
  // A sum of 0 means "no checksum" on the wire and is sent as its other form.
  view.setUint16(IPV4_HEADER + 6, checksum(view, IPV4_HEADER, bytes.length, pseudo) || 0xffff);
  return bytes;
}

function checksum(view: DataView, start: number, end: number, seed: number): number {
  let total = sum(view, start, end, seed);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return ~total & 0xffff;
}

function sum(view: DataView, start: number, end: number, seed: number): number {
  let total = seed;
  let at = start;
  for (; at + 1 < end; at += 2) total += view.getUint16(at);
  return at < end ? total + (view.getUint8(at) << 8) : total;
}
