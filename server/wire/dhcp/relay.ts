import { type Ipv4, ipv4FromOctets, UNSPECIFIED } from '../../domain/ipv4.js';
import { WireError } from '../wire-error.js';
import { type DhcpOptions, getOption } from './options.js';
import type { DhcpPacket } from './packet.js';

/** What a relay adds to a request in option 82 (RFC 3046). The option goes back unchanged. */
export interface RelayInfo {
  readonly circuitId?: Uint8Array;
  readonly remoteId?: Uint8Array;
  /** RFC 3527: the subnet to give an address of, where giaddr only says where to answer to. */
  readonly linkSelection?: Ipv4;
  /** RFC 5107: the relay wants to be named as the server, so that renewals pass through it. */
  readonly serverIdOverride?: Ipv4;
}

/** Undefined = no relay information. Throws WireError when it is broken. */
export function relayInfo(options: DhcpOptions): RelayInfo | undefined {
  const sub = getOption(options, 'relayAgent');
  if (sub === undefined) return undefined;
  const circuitId = sub.get(1);
  const remoteId = sub.get(2);
  const linkSelection = address(sub.get(5), 'link-selection');
  const serverIdOverride = address(sub.get(11), 'server-id-override');
  return {
    ...(circuitId === undefined ? {} : { circuitId }),
    ...(remoteId === undefined ? {} : { remoteId }),
    ...(linkSelection === undefined ? {} : { linkSelection }),
    ...(serverIdOverride === undefined ? {} : { serverIdOverride }),
  };
}

/**
 * The same, if a relay forwards the packet. Without giaddr a switch may have put the port in (DHCP snooping), or the client itself:
 * neither has a say about subnets and the server's name.
 */
export function relayWord(packet: DhcpPacket): RelayInfo | undefined {
  return packet.giaddr === UNSPECIFIED ? undefined : relayInfo(packet.options);
}

function address(bytes: Uint8Array | undefined, name: string): Ipv4 | undefined {
  if (bytes === undefined) return undefined;
  if (bytes.length !== 4) {
    throw new WireError(`option 82 (relay-agent), ${name}`, `is ${bytes.length} bytes long instead of 4`);
  }
  return ipv4FromOctets(bytes);
}
