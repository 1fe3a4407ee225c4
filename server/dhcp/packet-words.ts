import type { DhcpFacts } from '../boot/contract.js';
import { describeArch } from '../domain/arch.js';
import type { Json } from '../domain/event.js';
import { formatIpv4 } from '../domain/ipv4.js';
import { MESSAGE_TYPES } from '../wire/dhcp/option-kinds.js';
import type { DhcpPacket } from '../wire/dhcp/packet.js';

const CLIENT_WORDS: Readonly<Record<DhcpFacts['client'], string>> = {
  pxe: 'PXE firmware',
  http: 'HTTP Boot firmware',
  ipxe: 'iPXE',
  os: 'an operating system',
  bootp: 'a BOOTP client',
};

/** `PXE firmware, x64 UEFI`: for sentences. */
export function describeClient(facts: DhcpFacts): string {
  return facts.arch === undefined
    ? CLIENT_WORDS[facts.client]
    : `${CLIENT_WORDS[facts.client]}, ${describeArch(facts.arch)}`;
}

/** What iPXE says of its build: an old one explains a lot. */
export function factsOfBuild({ ipxe }: DhcpFacts): Readonly<Record<string, string>> | undefined {
  if (ipxe === undefined) return undefined;
  return { ...(ipxe.version === undefined ? {} : { ipxe: ipxe.version }), features: ipxe.features.join(' ') };
}

/** For counting: never throws, whatever option 53 holds. */
export function wordOf(request: DhcpPacket): string {
  return MESSAGE_TYPES[(request.options.get(53)?.[0] ?? 0) - 1] ?? 'other';
}

/** The transaction id as tcpdump writes it, without its 0x. */
export function xidOf(request: DhcpPacket): string {
  return request.xid.toString(16).padStart(8, '0');
}

/** What every event of a packet carries. */
export function factsOfPacket(request: DhcpPacket): Record<string, Json> {
  const facts: Record<string, Json> = { xid: xidOf(request), secs: request.secs };
  if (request.giaddr !== 0) facts.relay = formatIpv4(request.giaddr);
  return facts;
}
