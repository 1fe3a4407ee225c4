import type { DhcpFacts } from '../boot/contract.js';
import { getOption, hasOption } from '../wire/dhcp/options.js';
import { clientMac, type DhcpPacket } from '../wire/dhcp/packet.js';
import { userClasses, uuidOfOption97 } from '../wire/dhcp/pxe.js';

/** A host name that can be shown and stored as it is; anything else a client sends in option 12 is left out. */
const HOST_NAME = /^[A-Za-z0-9_.-]{1,253}$/;

/**
 * Who sent this packet. The iPXE marks are looked at first: iPXE goes on sending the firmware's vendor class and architecture,
 * and without this order it would be handed itself for ever. Throws WireError when an option that decides is malformed.
 */
export function classifyDhcp(packet: DhcpPacket): DhcpFacts {
  const vendorClass = getOption(packet.options, 'vendorClass') ?? '';
  const arch = getOption(packet.options, 'clientArch')?.[0] ?? archOfVendorClass(vendorClass);
  const uuidBytes = packet.options.get(97);
  const client = clientOf(packet, vendorClass);
  const uuid = uuidBytes === undefined ? undefined : uuidOfOption97(uuidBytes);
  const hostname = getOption(packet.options, 'hostName');
  return {
    mac: clientMac(packet),
    client,
    ...(arch === undefined ? {} : { arch }),
    ...(uuid === undefined ? {} : { uuid }),
    ...(hostname === undefined || !HOST_NAME.test(hostname) ? {} : { hostname }),
  };
}

function clientOf(packet: DhcpPacket, vendorClass: string): DhcpFacts['client'] {
  const { options } = packet;
  if (!hasOption(options, 'messageType')) return 'bootp';
  const userClass = getOption(options, 'userClass');
  if (hasOption(options, 'ipxe') || (userClass !== undefined && userClasses(userClass).includes('iPXE'))) return 'ipxe';
  // The vendor class decides, not the architecture: RFC 5970 numbers are shared between PXE and HTTP by some firmware.
  if (vendorClass.startsWith('HTTPClient')) return 'http';
  if (vendorClass.startsWith('PXEClient')) return 'pxe';
  return 'os';
}

/** `PXEClient:Arch:00007:UNDI:003000` (RFC 4578, section 2): some ROMs say it there only. */
function archOfVendorClass(vendorClass: string): number | undefined {
  const match = /^(?:PXE|HTTP)Client:Arch:(\d{5})/.exec(vendorClass);
  return match?.[1] === undefined ? undefined : Number(match[1]);
}
