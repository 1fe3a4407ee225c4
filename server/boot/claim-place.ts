import type { BootSession } from '../domain/boot-session.js';
import { formatIpv4, type Ipv4 } from '../domain/ipv4.js';
import type { Mac } from '../domain/mac.js';

export interface ClaimPlaceDeps {
  readonly leaseAddress: (mac: Mac) => Ipv4 | undefined;
  /** Who has this address on the wire now, if the kernel knows. */
  readonly neighbour?: ((address: Ipv4) => Mac | undefined) | undefined;
}

/**
 * Why a claim from this address is not the machine's own; undefined = it may be. A nonce that was overheard (scripts are not
 * encrypted) is of no use elsewhere. In proxy mode the OS may have another address than the firmware had: there the kernel's
 * neighbour table tells, as far as it says anything.
 */
export function strangerReason(session: BootSession, address: Ipv4, deps: ClaimPlaceDeps): string | undefined {
  if (session.dhcpMode === 'proxy') {
    const neighbour = deps.neighbour?.(address);
    if (neighbour === undefined || neighbour === session.mac) return undefined;
    return `${formatIpv4(address)} is another machine, ${neighbour}`;
  }
  // An OS that asks DHCP itself (ip=dhcp) has what its card was given last.
  if (address === session.address || address === deps.leaseAddress(session.mac)) return undefined;
  const expected = session.address === undefined ? 'none' : formatIpv4(session.address);
  return `${formatIpv4(address)} is not the address of this boot (${expected})`;
}
