import { type Ipv4, ipv4FromOctets } from '../domain/ipv4.js';
import { Writer } from './writer.js';

/** Who answered which question. */
export interface EchoReply {
  readonly from: Ipv4;
  readonly id: number;
  readonly sequence: number;
}

const ECHO_REQUEST = 8;
const ECHO_REPLY = 0;
const HEADER = 8;
const SMALLEST_IP_HEADER = 20;

/**
 * "Are you there?" (RFC 792), without payload.
 *
 *   | type 8 | code 0 | checksum | id | sequence |
 */
export function encodeEchoRequest(id: number, sequence: number): Uint8Array {
  // The sum of 16-bit words in one's complement, negated: the code and the checksum itself are 0.
  const sum = (ECHO_REQUEST << 8) + id + sequence;
  const folded = (sum & 0xffff) + (sum >>> 16);
  const writer = new Writer(HEADER);
  writer.u8(ECHO_REQUEST, 'type');
  writer.u8(0, 'code');
  writer.u16(~((folded & 0xffff) + (folded >>> 16)) & 0xffff, 'checksum');
  writer.u16(id, 'id');
  writer.u16(sequence, 'sequence');
  return writer.finish();
}

/** An IPv4 packet from its header on; undefined for all but echo replies. The kernel has looked at the checksums. */
export function echoReply(packet: Uint8Array): EchoReply | undefined {
  const header = ((packet[0] ?? 0) & 15) * 4;
  if (header < SMALLEST_IP_HEADER || packet.length < header + HEADER || packet[header] !== ECHO_REPLY) return undefined;
  const word = (at: number): number => ((packet[at] ?? 0) << 8) | (packet[at + 1] ?? 0);
  return {
    from: ipv4FromOctets(packet.subarray(12, 16)),
    id: word(header + 4),
    sequence: word(header + 6),
  };
}
