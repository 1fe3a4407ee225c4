import { type Ipv4, UNSPECIFIED } from '../domain/ipv4.js';
import { type Mac, macFromBytes, macToBytes } from '../domain/mac.js';
import { Reader } from './reader.js';
import { Writer } from './writer.js';

/** Who says that an address is its own. */
export interface ArpSender {
  readonly mac: Mac;
  readonly address: Ipv4;
}

const ETHERNET = 1;
const IPV4 = 0x0800;
const REQUEST = 1;
const SIZE = 28;

/**
 * The question "who has this address?" of somebody who has none yet (RFC 5227, section 2.1.1: an ARP probe). It changes nobody's
 * table, because the sender's address is 0.0.0.0.
 *
 *   | 1 | 0800 | 6 | 4 | op | sender MAC, address | target MAC, address |
 */
export function encodeArpProbe(from: Mac, address: Ipv4): Uint8Array {
  const writer = new Writer(SIZE);
  writer.u16(ETHERNET, 'htype');
  writer.u16(IPV4, 'ptype');
  writer.u8(6, 'hlen');
  writer.u8(4, 'plen');
  writer.u16(REQUEST, 'op');
  writer.bytes(macToBytes(from), 'sender');
  writer.u32(UNSPECIFIED, 'sender address');
  writer.padded(new Uint8Array(0), 6, 'target');
  writer.u32(address, 'target address');
  return writer.finish();
}

/** Whoever sent this ARP message and says it has an address; undefined for probes and what is not IPv4 over Ethernet. */
export function arpSender(bytes: Uint8Array): ArpSender | undefined {
  if (bytes.length < SIZE) return undefined;
  const reader = new Reader(bytes);
  const isOurs = reader.u16('htype') === ETHERNET && reader.u16('ptype') === IPV4;
  const sizes = reader.u16('sizes');
  reader.u16('op');
  const mac = macFromBytes(reader.bytes(6, 'sender'));
  const address = reader.u32('sender address') as Ipv4;
  return isOurs && sizes === 0x0604 && mac !== undefined && address !== UNSPECIFIED ? { mac, address } : undefined;
}
