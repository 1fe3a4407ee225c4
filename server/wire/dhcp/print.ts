import { formatIpv4, UNSPECIFIED } from '../../domain/ipv4.js';
import { WireError } from '../wire-error.js';
import { hex, printKind, quote } from './option-kinds.js';
import { optionField, optionRow } from './option-table.js';
import type { DhcpPacket } from './packet.js';

/** The whole packet as text, one line a field; a known option by its kind, every other in hex. Never throws. */
export function printPacket(packet: DhcpPacket): string {
  const lines = [
    `${packet.op} xid 0x${packet.xid.toString(16).padStart(8, '0')} secs ${packet.secs} hops ${packet.hops}` +
      `${packet.flags.broadcast ? ' broadcast' : ''}` +
      `${packet.flags.reserved === 0 ? '' : ` reserved flags 0x${packet.flags.reserved.toString(16)}`}`,
    `chaddr ${hex(packet.chaddr.subarray(0, packet.hlen))} htype ${packet.htype} hlen ${packet.hlen}`,
  ];
  for (const field of ['ciaddr', 'yiaddr', 'siaddr', 'giaddr'] as const) {
    if (packet[field] !== UNSPECIFIED) lines.push(`${field} ${formatIpv4(packet[field])}`);
  }
  for (const field of ['sname', 'file'] as const) {
    if (packet[field] !== '') lines.push(`${field} ${quote(packet[field])}`);
  }
  for (const [code, bytes] of packet.options) lines.push(`${optionField(code)}: ${printOption(code, bytes)}`);
  return `${lines.join('\n')}\n`;
}

function printOption(code: number, bytes: Uint8Array): string {
  const row = optionRow(code);
  if (row === undefined) return hex(bytes);
  try {
    return printKind(row.kind, bytes, optionField(code));
  } catch (error) {
    if (error instanceof WireError) return `${hex(bytes)} (malformed: ${error.message})`;
    throw error;
  }
}
