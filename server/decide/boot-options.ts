import type { BootOffer, DhcpFacts } from '../boot/contract.js';
import { formatIpv4, type Ipv4 } from '../domain/ipv4.js';
import { ipxeNoPxeDhcp } from '../wire/dhcp/pxe.js';
import type { ReplyOptions } from './reply.js';

export interface BootFields {
  readonly siaddr?: Ipv4;
  readonly file?: string;
  readonly options: ReplyOptions;
}

/** The `file` field of the header holds this many bytes; a longer name goes into option 67 only. */
const FILE_FIELD = 128;

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
      // Neither class PXEClient nor discovery control: UEFI ROMs of several makers ignore offers with option 43, the class alone
      // sends BIOS ROMs to UDP 4011, and iPXE waits 16 s after its ACK when it sees the class. Every ROM takes plain names.
      return {
        ...named(offer.file),
        siaddr: server,
        options: { tftpServerName: formatIpv4(server), bootFile: offer.file },
      };
  }
}

function named(file: string): Pick<BootFields, 'file'> {
  return file.length <= FILE_FIELD ? { file } : {};
}
