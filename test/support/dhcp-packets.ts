import { type Ipv4, parseIpv4 } from '../../server/domain/ipv4.js';
import { macToBytes, parseMac } from '../../server/domain/mac.js';
import type { OptionName, OptionValue } from '../../server/wire/dhcp/option-table.js';
import { setOption } from '../../server/wire/dhcp/options.js';
import type { DhcpPacket } from '../../server/wire/dhcp/packet.js';

export type NamedOptions = { readonly [N in OptionName]?: OptionValue<N> };

export const ip = (text: string): Ipv4 => parseIpv4(text);
export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A client's packet with the given options (in the order of the object) and fields. */
export function request(
  mac: string,
  options: NamedOptions,
  fields: Partial<Omit<DhcpPacket, 'options'>> = {},
): DhcpPacket {
  const chaddr = new Uint8Array(16);
  chaddr.set(macToBytes(parseMac(mac)));
  return {
    op: 'request',
    htype: 1,
    hlen: 6,
    hops: 0,
    xid: 0x12345678,
    secs: 0,
    flags: { broadcast: false, reserved: 0 },
    ciaddr: ip('0.0.0.0'),
    yiaddr: ip('0.0.0.0'),
    siaddr: ip('0.0.0.0'),
    giaddr: ip('0.0.0.0'),
    chaddr,
    sname: '',
    file: '',
    options: namedOptions(options),
    ...fields,
  };
}

export function namedOptions(options: NamedOptions): Map<number, Uint8Array> {
  const map = new Map<number, Uint8Array>();
  for (const name of Object.keys(options) as OptionName[]) setNamed(map, options, name);
  return map;
}

function setNamed<N extends OptionName>(map: Map<number, Uint8Array>, options: NamedOptions, name: N): void {
  const value: OptionValue<N> | undefined = options[name];
  if (value !== undefined) setOption(map, name, value);
}

/** The MACs and user classes of what boots. */
export const client = {
  bios: { vendorClass: 'PXEClient:Arch:00000:UNDI:002001', clientArch: [0], clientNetworkInterface: [1, 2, 1] },
  uefi: { vendorClass: 'PXEClient:Arch:00007:UNDI:003000', clientArch: [7], clientNetworkInterface: [1, 3, 0] },
  http: { vendorClass: 'HTTPClient:Arch:00016:UNDI:003000', clientArch: [16], clientNetworkInterface: [1, 3, 0] },
  ipxe: { vendorClass: 'PXEClient:Arch:00000:UNDI:002001', clientArch: [0], userClass: utf8('iPXE') },
  os: {},
} as const satisfies Record<string, NamedOptions>;
