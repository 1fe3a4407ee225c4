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
  switch (offer.kind) {
    case 'none':
      return { options: facts.client === 'ipxe' ? IPXE : NOTHING };
    case 'script':
      return withFile(offer.url, server, { ...(facts.client === 'ipxe' ? IPXE : NOTHING), bootFile: offer.url });
    case 'loader':
      if (facts.client === 'http') {
        // UEFI HTTP Boot takes an offer for its own only with this class, and the URL from option 67 (OVMF).
        return { options: { vendorClass: 'HTTPClient', bootFile: offer.file } };
      }
      return withFile(offer.file, server, loaderOptions(facts, offer.file, server));
  }
}

const NOTHING: ReplyOptions = {};
/** iPXE waits 2 s for a proxy DHCP server unless told that this answer is all. */
const IPXE: ReplyOptions = { ipxe: ipxeNoPxeDhcp() };

/**
 * BIOS ROMs: discovery control 8 makes them take the file of this offer at once instead of waiting for proxy DHCP and searching
 * boot servers (PXE 2.1, table 2-1, tag 6); iPXE taken for a ROM asks 3 s earlier. UEFI gets neither 60 nor 43: many ignore an
 * offer with discovery control, and an offer with class PXEClient alone sends some to UDP 4011.
 */
function loaderOptions({ client, arch }: DhcpFacts, bootFile: string, server: Ipv4): ReplyOptions {
  const tftpServerName = formatIpv4(server);
  if (client === 'pxe' && arch === RASPBERRY_PI) {
    return { vendorClass: 'PXEClient', vendorOptions: raspberryPiMenu(), tftpServerName, bootFile };
  }
  if (client === 'pxe' && (arch ?? PXE_BIOS) === PXE_BIOS) {
    return { vendorClass: 'PXEClient', vendorOptions: pxeUseFileOfOffer(), tftpServerName, bootFile };
  }
  return { tftpServerName, bootFile };
}

function withFile(file: string, siaddr: Ipv4, options: ReplyOptions): BootFields {
  return file.length <= FILE_FIELD ? { siaddr, file, options } : { siaddr, options };
}
