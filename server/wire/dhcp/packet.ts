import type { Ipv4 } from '../../domain/ipv4.js';
import { type Mac, macFromBytes } from '../../domain/mac.js';
import { Reader } from '../reader.js';
import { WireError } from '../wire-error.js';
import { type Scratch, Writer } from '../writer.js';
import { OptionSet } from './option-set.js';
import { OPTIONS, optionField } from './option-table.js';
import { type DhcpOptions, getOption, optionSize, readOptionArea, writeOptionArea } from './options.js';

/**
 * A DHCP message (RFC 2131, section 2):
 *
 *      0        1        2        3
 *   | op     | htype  | hlen   | hops   |
 *   | xid                               |
 *   | secs            | flags: B, 15 x 0|
 *   | ciaddr  yiaddr  siaddr  giaddr    |   4 x 4
 *   | chaddr                            |   16
 *   | sname                             |   64
 *   | file                              |   128
 *   | 63 82 53 63, options              |
 */
export interface DhcpPacket {
  readonly op: 'request' | 'reply';
  readonly htype: number;
  readonly hlen: number;
  readonly hops: number;
  readonly xid: number;
  readonly secs: number;
  readonly flags: { readonly broadcast: boolean; readonly reserved: number };
  /** Address the client has and answers on. */
  readonly ciaddr: Ipv4;
  /** Address the client is given. */
  readonly yiaddr: Ipv4;
  /** Server of the next step: TFTP. */
  readonly siaddr: Ipv4;
  /** Relay that passed the request on. */
  readonly giaddr: Ipv4;
  /** All 16 bytes. */
  readonly chaddr: Uint8Array;
  /** Latin-1 up to the first NUL; empty when the field carried options (overload). */
  readonly sname: string;
  readonly file: string;
  readonly options: DhcpOptions;
}

const COOKIE = 0x63825363;
const BROADCAST_FLAG = 0x8000;
const ETHERNET = 1;
/** Everything before the options, the magic cookie included. */
const HEADER_SIZE = 240;
const CHADDR_SIZE = 16;
const SNAME_SIZE = 64;
const FILE_SIZE = 128;
/** Option 52 (RFC 2132, section 9.3): which fields hold options. */
const IN_FILE = 1;
const IN_SNAME = 2;
/** RFC 1542, section 2.1: relays and old ROMs drop BOOTP messages under 300 bytes. */
const BOOTP_LENGTH = 300;
/** RFC 2131: every client takes an IP datagram of 576 bytes; 28 of them are IP and UDP headers. */
const IP_UDP_HEADERS = 28;
const SMALLEST_LIMIT = 576 - IP_UDP_HEADERS;
const ETHERNET_LIMIT = 1500 - IP_UDP_HEADERS;

/** Throws WireError. Options 52 (overload) is carried out here and does not appear among the options. */
export function decodePacket(bytes: Uint8Array): DhcpPacket {
  const reader = new Reader(bytes);
  const op = reader.u8('op');
  if (op !== 1 && op !== 2) throw new WireError('op', `${op} is neither request (1) nor reply (2)`);
  const htype = reader.u8('htype');
  const hlen = reader.u8('hlen');
  if (hlen > 16) throw new WireError('hlen', `${hlen} is over 16, the size of chaddr`);
  const hops = reader.u8('hops');
  const xid = reader.u32('xid');
  const secs = reader.u16('secs');
  const flags = reader.u16('flags');
  const ciaddr = reader.u32('ciaddr') as Ipv4;
  const yiaddr = reader.u32('yiaddr') as Ipv4;
  const siaddr = reader.u32('siaddr') as Ipv4;
  const giaddr = reader.u32('giaddr') as Ipv4;
  const chaddr = reader.bytes(CHADDR_SIZE, 'chaddr');
  const sname = reader.skip(SNAME_SIZE, 'sname');
  const file = reader.skip(FILE_SIZE, 'file');
  const cookie = reader.u32('magic cookie');
  if (cookie !== COOKIE) throw new WireError('magic cookie', 'is missing: plain BOOTP without options is not served');
  const options = new OptionSet(bytes);
  readOptionArea(bytes, { start: reader.offset, end: bytes.length }, options);
  const overload = getOption(options, 'overload') ?? 0;
  if (overload > 3) throw new WireError(optionField(OPTIONS.overload.code), `${overload} is over 3`);
  options.delete(OPTIONS.overload.code);
  // RFC 3396, section 5: first the options field, then file, then sname.
  if ((overload & IN_FILE) !== 0) readOptionArea(bytes, { start: file, end: file + FILE_SIZE }, options);
  if ((overload & IN_SNAME) !== 0) readOptionArea(bytes, { start: sname, end: sname + SNAME_SIZE }, options);
  return {
    op: op === 1 ? 'request' : 'reply',
    htype,
    hlen,
    hops,
    xid,
    secs,
    flags: { broadcast: (flags & BROADCAST_FLAG) !== 0, reserved: flags & ~BROADCAST_FLAG },
    ciaddr,
    yiaddr,
    siaddr,
    giaddr,
    chaddr,
    sname: (overload & IN_SNAME) === 0 ? latin1(bytes, sname, SNAME_SIZE) : '',
    file: (overload & IN_FILE) === 0 ? latin1(bytes, file, FILE_SIZE) : '',
    options,
  };
}

/**
 * At least 300 bytes. Options that do not fit within `limit` bytes (UDP payload) go into `file` and `sname` when those are empty
 * (option 52). Throws WireError when a value does not fit, or all of it is over the limit even so. With `into` the answer is good
 * until the next packet is encoded there.
 */
export function encodePacket(packet: DhcpPacket, limit: number = ETHERNET_LIMIT, into?: Scratch): Uint8Array {
  const writer = new Writer(limit, into);
  const areas = optionAreas(packet, limit);
  writer.u8(packet.op === 'request' ? 1 : 2, 'op');
  writer.u8(packet.htype, 'htype');
  writer.u8(packet.hlen, 'hlen');
  writer.u8(packet.hops, 'hops');
  writer.u32(packet.xid, 'xid');
  writer.u16(packet.secs, 'secs');
  writer.u16(packet.flags.reserved | (packet.flags.broadcast ? BROADCAST_FLAG : 0), 'flags');
  writer.u32(packet.ciaddr, 'ciaddr');
  writer.u32(packet.yiaddr, 'yiaddr');
  writer.u32(packet.siaddr, 'siaddr');
  writer.u32(packet.giaddr, 'giaddr');
  writer.padded(packet.chaddr, CHADDR_SIZE, 'chaddr');
  writeNameField(writer, areas.sname, SNAME_SIZE, 'sname');
  writeNameField(writer, areas.file, FILE_SIZE, 'file');
  writer.u32(COOKIE, 'magic cookie');
  writeOptionArea(areas.options, writer);
  writer.zerosUntil(BOOTP_LENGTH, 'padding');
  return writer.finish();
}

interface Areas {
  readonly options: DhcpOptions;
  readonly file: Uint8Array | string;
  readonly sname: Uint8Array | string;
}

/**
 * Which option goes where. In packet order each into the first area that has room; the first two (what kind of message, from
 * whom) and the relay's option 82, which must be the last of the field (RFC 3046, section 2.2), stay in the options field.
 */
function optionAreas({ options, file, sname }: DhcpPacket, limit: number): Areas {
  const plain = { options, file, sname };
  let size = HEADER_SIZE + 1;
  options.forEach((value) => {
    size += optionSize(value);
  });
  if (size <= limit || (file !== '' && sname !== '')) return plain;
  const relay = OPTIONS.relayAgent.code;
  const relayValue = options.get(relay);
  const main = new OptionSet();
  const spare = [
    ...(file === '' ? [{ flag: IN_FILE, room: FILE_SIZE - 1, options: new OptionSet() }] : []),
    ...(sname === '' ? [{ flag: IN_SNAME, room: SNAME_SIZE - 1, options: new OptionSet() }] : []),
  ];
  // Option 52 itself takes three bytes.
  let room = limit - HEADER_SIZE - 1 - 3 - (relayValue === undefined ? 0 : optionSize(relayValue));
  for (const [code, value] of options) {
    if (code === relay) continue;
    const needed = optionSize(value);
    const area = needed <= room ? undefined : spare.find((candidate) => candidate.room >= needed);
    if (area === undefined) {
      main.set(code, value);
      room -= needed;
    } else {
      area.options.set(code, value);
      area.room -= needed;
    }
  }
  const used = spare.filter((area) => area.options.size > 0);
  if (used.length === 0) return plain;
  main.set(OPTIONS.overload.code, Uint8Array.of(used.reduce((flags, area) => flags | area.flag, 0)));
  if (relayValue !== undefined) main.set(relay, relayValue);
  const bytesOf = (flag: number, size: number): Uint8Array | undefined => {
    const area = used.find((candidate) => candidate.flag === flag);
    if (area === undefined) return undefined;
    const writer = new Writer(size);
    writeOptionArea(area.options, writer);
    return writer.finish();
  };
  return {
    options: main,
    file: bytesOf(IN_FILE, FILE_SIZE) ?? plain.file,
    sname: bytesOf(IN_SNAME, SNAME_SIZE) ?? plain.sname,
  };
}

/** Bytes of UDP payload that the sender of `request` takes: option 57 counts the IP datagram, as RFC 2131 counts its 576. */
export function replyLimit(request: DhcpPacket): number {
  const size = getOption(request.options, 'maxMessageSize') ?? 0;
  return Math.min(ETHERNET_LIMIT, Math.max(SMALLEST_LIMIT, size - IP_UDP_HEADERS));
}

/** The Ethernet address of the client. Throws WireError for other hardware: leases are keyed by it. */
export function clientMac(packet: DhcpPacket): Mac {
  const mac = packet.htype === ETHERNET && packet.hlen === 6 ? macFromBytes(packet.chaddr) : undefined;
  if (mac === undefined) {
    throw new WireError('chaddr', `hardware type ${packet.htype} with ${packet.hlen} bytes is not Ethernet`);
  }
  // Answers to a group address would go to everybody, and its lease to nobody.
  if (((packet.chaddr[0] ?? 0) & 1) !== 0 || mac === NO_MAC) throw new WireError('chaddr', `${mac} is not a machine’s`);
  return mac;
}

/** Up to the first NUL. */
function latin1(bytes: Uint8Array, start: number, size: number): string {
  let text = '';
  for (let i = start; i < start + size; i++) {
    const byte = bytes[i] ?? 0;
    if (byte === 0) break;
    text += String.fromCharCode(byte);
  }
  return text;
}

const NO_MAC = '00:00:00:00:00:00';

function writeNameField(writer: Writer, value: Uint8Array | string, size: number, field: string): void {
  if (typeof value === 'string') writer.latin1(value, size, field);
  else writer.padded(value, size, field);
}
