import { readFileSync } from 'node:fs';
import { formatIpv4, type Ipv4 } from '../../server/domain/ipv4.js';
import { Reader } from '../../server/wire/reader.js';

export interface Datagram {
  /** `10.77.0.1:67 > 255.255.255.255:68` */
  readonly route: string;
  readonly payload: Uint8Array;
}

const LITTLE_ENDIAN_MICROSECONDS = 0xd4c3b2a1;
const ETHERNET = 1;
const ETHERTYPE_IPV4 = 0x0800;
const UDP = 17;

/** The UDP datagrams of a capture as tcpdump writes it (classic pcap, Ethernet, little-endian), in order. */
export function readPcap(file: string): readonly Datagram[] {
  const reader = new Reader(new Uint8Array(readFileSync(file)));
  if (reader.u32('magic') !== LITTLE_ENDIAN_MICROSECONDS) throw new Error(`${file}: not a little-endian pcap file`);
  reader.bytes(16, 'header');
  if (littleEndian(reader) !== ETHERNET) throw new Error(`${file}: not an Ethernet capture`);
  const datagrams: Datagram[] = [];
  while (reader.remaining > 0) {
    reader.bytes(8, 'time');
    const length = littleEndian(reader);
    if (length !== littleEndian(reader)) throw new Error(`${file}: a frame was cut by the capture`);
    const datagram = udpOf(reader.bytes(length, 'frame'));
    if (datagram !== undefined) datagrams.push(datagram);
  }
  return datagrams;
}

function littleEndian(reader: Reader): number {
  const bytes = reader.bytes(4, 'length');
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}

function udpOf(frame: Uint8Array): Datagram | undefined {
  const reader = new Reader(frame);
  reader.bytes(12, 'addresses');
  if (reader.u16('type') !== ETHERTYPE_IPV4) return undefined;
  const headerLength = (reader.u8('version') & 15) * 4;
  reader.bytes(8, 'lengths');
  if (reader.u8('protocol') !== UDP) return undefined;
  reader.u16('checksum');
  const from = formatIpv4(reader.u32('source') as Ipv4);
  const to = formatIpv4(reader.u32('destination') as Ipv4);
  reader.bytes(headerLength - 20, 'IP options');
  const route = `${from}:${reader.u16('source port')} > ${to}:${reader.u16('destination port')}`;
  const length = reader.u16('UDP length') - 8;
  reader.u16('checksum');
  return { route, payload: reader.bytes(length, 'payload') };
}
