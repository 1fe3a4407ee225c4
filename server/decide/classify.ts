import type { DhcpFacts } from '../boot/contract.js';
import { UNSPECIFIED } from '../domain/ipv4.js';
import type { Mac } from '../domain/mac.js';
import { hex } from '../wire/dhcp/option-kinds.js';
import { getOption, hasOption } from '../wire/dhcp/options.js';
import { clientMac, type DhcpPacket } from '../wire/dhcp/packet.js';
import { ipxeFacts, userClasses, uuidOfOption97 } from '../wire/dhcp/pxe.js';
import { relayInfo } from '../wire/dhcp/relay.js';

/** A host name that can be shown and stored as it is; anything else a client sends in option 12 is left out. */
const HOST_NAME = /^[A-Za-z0-9_.-]{1,253}$/;

/**
 * Who sent this packet. The iPXE marks are looked at first: iPXE goes on sending the firmware's vendor class and architecture,
 * and without this order it would be handed itself for ever. Throws WireError when an option that decides is malformed.
 */
export function classifyDhcp(packet: DhcpPacket): DhcpFacts {
  const vendorClass = getOption(packet.options, 'vendorClass') ?? '';
  const mac = clientMac(packet);
  const told = getOption(packet.options, 'clientArch')?.[0] ?? archOfVendorClass(vendorClass);
  const clientId = packet.options.get(61);
  const ipxe = getOption(packet.options, 'ipxe');
  const uuidBytes = packet.options.get(97);
  const client = clientOf(packet, vendorClass);
  const uuid = uuidBytes === undefined ? undefined : uuidOfOption97(uuidBytes);
  const arch = client === 'pxe' && isRaspberryPi(mac) ? RASPBERRY_PI : told;
  const hostname = getOption(packet.options, 'hostName');
  // Field by field: each spread of an object that may be empty costs more than all of the rest.
  const facts: { -readonly [K in keyof DhcpFacts]: DhcpFacts[K] } = { mac, client };
  if (arch !== undefined) facts.arch = arch;
  if (uuid !== undefined) facts.uuid = uuid;
  if (hostname !== undefined && HOST_NAME.test(hostname)) facts.hostname = hostname;
  if (clientId !== undefined) facts.clientId = hex(clientId);
  const relay = port(packet);
  if (relay !== undefined) facts.relay = relay;
  if (packet.ciaddr !== UNSPECIFIED && packet.giaddr === UNSPECIFIED) facts.renewing = true;
  if (client === 'ipxe' && ipxe !== undefined) facts.ipxe = ipxeFacts(ipxe);
  return facts;
}

/** IANA architecture 41. */
const RASPBERRY_PI = 41;
/** Of the Raspberry Pi Foundation and Raspberry Pi (Trading) Ltd. in the IEEE's registry. */
const RASPBERRY_PI_OUIS = new Set(['b8:27:eb', 'dc:a6:32', 'e4:5f:01', 'd8:3a:dd', '2c:cf:67', '28:cd:c1', '88:a2:9e']);

/** Its boot ROM says "architecture 0", like a BIOS PC: only the MAC tells it from one. */
function isRaspberryPi(mac: Mac): boolean {
  return RASPBERRY_PI_OUIS.has(mac.slice(0, 8));
}

function port({ options }: DhcpPacket): DhcpFacts['relay'] {
  const relay = relayInfo(options);
  if (relay?.circuitId === undefined && relay?.remoteId === undefined) return undefined;
  return {
    ...(relay.circuitId === undefined ? {} : { circuitId: hex(relay.circuitId) }),
    ...(relay.remoteId === undefined ? {} : { remoteId: hex(relay.remoteId) }),
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

/** Firmware or iPXE: it asks for something to boot. */
export function netboots({ client }: Pick<DhcpFacts, 'client'>): boolean {
  return client === 'pxe' || client === 'http' || client === 'ipxe';
}
