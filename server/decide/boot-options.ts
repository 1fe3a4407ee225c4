import type { BootOffer, DhcpFacts } from '../boot/contract.js';
import { formatIpv4, type Ipv4 } from '../domain/ipv4.js';
import { ipxeNoPxeDhcp, pxeUseFileOfOffer, raspberryPiMenu } from '../wire/dhcp/pxe.js';
import type { ReplyOptions } from './reply.js';

export interface BootFields {
  readonly siaddr?: Ipv4;
  readonly file?: string;
  readonly options: ReplyOptions;
}

/** The `file` field of the header holds this many bytes; a longer name goes into option 67 only. */
export const FILE_FIELD = 128;
const PXE_BIOS = 0;
const RASPBERRY_PI = 41;

/** What tells the client where to go on, in the form that this kind of firmware reads. docs/hardware.md has a row for each. */
export function bootFields(facts: DhcpFacts, offer: BootOffer, server: Ipv4): BootFields {
  // iPXE waits 2 s for a proxy DHCP server unless told that this answer is all.
  const ipxe: ReplyOptions = facts.client === 'ipxe' ? { ipxe: ipxeNoPxeDhcp() } : {};
  switch (offer.kind) {
    case 'none':
      return { options: ipxe };
    case 'script':
      return { ...named(offer.url), siaddr: server, options: { ...ipxe, bootFile: offer.url } };
    case 'loader':
      if (facts.client === 'http') {
        // UEFI HTTP Boot takes an offer for its own only with this class, and the URL from option 67 (OVMF).
        return { options: { vendorClass: 'HTTPClient', bootFile: offer.file } };
      }
      return {
        ...named(offer.file),
        siaddr: server,
        options: {
          ...pxeOptions(facts),
          tftpServerName: formatIpv4(server),
          bootFile: offer.file,
        },
      };
  }
}

/**
 * BIOS ROMs: discovery control 8 makes them take the file of this offer at once instead of waiting for proxy DHCP and searching
 * boot servers (PXE 2.1, table 2-1, tag 6); iPXE taken for a ROM asks 3 s earlier. UEFI gets neither 60 nor 43: many ignore an
 * offer with discovery control, and an offer with class PXEClient alone sends some to UDP 4011.
 */
function pxeOptions(facts: DhcpFacts): ReplyOptions {
  if (facts.client === 'pxe' && facts.arch === RASPBERRY_PI) {
    return { vendorClass: 'PXEClient', vendorOptions: raspberryPiMenu() };
  }
  if (facts.client !== 'pxe' || (facts.arch ?? PXE_BIOS) !== PXE_BIOS) return {};
  return { vendorClass: 'PXEClient', vendorOptions: pxeUseFileOfOffer() };
}

function named(file: string): Pick<BootFields, 'file'> {
  return file.length <= FILE_FIELD ? { file } : {};
}
