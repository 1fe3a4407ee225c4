/** DHCP requests as PXE ROMs, iPXE and an installed OS send them through a relay; by hand, because the load must cost little. */
export type DhcpClientKind = 'uefi' | 'ipxe' | 'os';

export interface DhcpRequestWords {
  /** 1 DISCOVER, 3 REQUEST. */
  readonly type: 1 | 3;
  readonly kind: DhcpClientKind;
  readonly mac: Uint8Array;
  readonly xid: number;
  /** IPv4 as a number; the relay that the reply goes to. */
  readonly giaddr: number;
  readonly requested?: number;
  readonly serverId?: number;
}

export interface DhcpReplyWords {
  readonly type: number;
  readonly xid: number;
  readonly address: number;
  readonly nextServer: number;
  readonly serverId: number;
  /** Option 67, or the field `file`. */
  readonly bootFile: string;
}

const MAGIC = 0x63825363;
/** PXE ROMs pad to this. */
const PXE_BYTES = 548;
const ASCII = new TextEncoder();
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const PXE_CLASS = ASCII.encode('PXEClient:Arch:00007:UNDI:003016');
/** Options in front of the changing ones. */
const FIXED: Readonly<Record<DhcpClientKind, readonly (readonly [number, Uint8Array])[]>> = {
  uefi: [
    [55, bytes(1, 2, 3, 4, 6, 12, 13, 15, 28, 43, 54, 60, 66, 67, 97, 128, 129, 130)],
    [93, bytes(0, 7)],
    [94, bytes(1, 3, 16)],
    [60, PXE_CLASS],
  ],
  ipxe: [
    [55, bytes(1, 3, 6, 7, 12, 15, 17, 26, 43, 60, 66, 67, 119, 128, 175, 203)],
    [93, bytes(0, 7)],
    [94, bytes(1, 3, 16)],
    [60, PXE_CLASS],
    [77, ASCII.encode('iPXE')],
    [175, bytes(0x13, 1, 1, 0x12, 1, 1)],
  ],
  os: [[55, bytes(1, 3, 6, 12, 15, 26, 28, 42, 119, 121)]],
};

export function dhcpRequest(words: DhcpRequestWords): Buffer {
  const packet = Buffer.alloc(PXE_BYTES);
  packet.set([1, 1, 6, 1]);
  packet.writeUInt32BE(words.xid, 4);
  packet.writeUInt32BE(words.giaddr, 24);
  packet.set(words.mac, 28);
  packet.writeUInt32BE(MAGIC, 236);
  let at = 240;
  const option = (code: number, value: Uint8Array): void => {
    packet[at] = code;
    packet[at + 1] = value.length;
    packet.set(value, at + 2);
    at += 2 + value.length;
  };
  option(53, bytes(words.type));
  if (words.requested !== undefined) option(50, address(words.requested));
  if (words.serverId !== undefined) option(54, address(words.serverId));
  option(57, bytes(5, 0xc0));
  for (const [code, value] of FIXED[words.kind]) option(code, value);
  packet[at] = 255;
  return packet;
}

/** Undefined = not a DHCP reply. */
export function dhcpReply(packet: Buffer): DhcpReplyWords | undefined {
  if (packet.length < 244 || packet[0] !== 2 || packet.readUInt32BE(236) !== MAGIC) return undefined;
  let type = 0;
  let serverId = 0;
  let bootFile = packet.toString('latin1', 108, 236).replace(/\0.*$/s, '');
  for (let at = 240; at + 1 < packet.length && packet[at] !== 255; ) {
    const code = packet[at];
    if (code === 0) {
      at += 1;
      continue;
    }
    const length = packet[at + 1] ?? 0;
    if (code === 53) type = packet[at + 2] ?? 0;
    else if (code === 54) serverId = packet.readUInt32BE(at + 2);
    else if (code === 67) bootFile = packet.toString('latin1', at + 2, at + 2 + length).replace(/\0.*$/s, '');
    at += 2 + length;
  }
  return {
    type,
    xid: packet.readUInt32BE(4),
    address: packet.readUInt32BE(16),
    nextServer: packet.readUInt32BE(20),
    serverId,
    bootFile,
  };
}

/** `52:54` and four bytes: consecutive, as vendors ship cards. */
export function benchMac(index: number): Uint8Array {
  return bytes(0x52, 0x54, (index >>> 24) & 255, (index >>> 16) & 255, (index >>> 8) & 255, index & 255);
}

export function addressText(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
}

export function addressNumber(text: string): number {
  return text.split('.').reduce((value, part) => value * 256 + Number(part), 0);
}

function address(value: number): Uint8Array {
  return bytes((value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}
