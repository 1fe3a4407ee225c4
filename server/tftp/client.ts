import { isIPv4 } from 'node:net';
import type { Requester } from '../boot/contract.js';
import { parseIpv4, UNSPECIFIED } from '../domain/ipv4.js';
import type { Peer } from './messages.js';

/** A port of a machine, and the address of ours that it asked. */
export interface Client extends Peer {
  readonly key: string;
  readonly local: string;
}

export function clientOf({ address, port }: Peer, local: string): Client {
  return { address, port, local, key: `${address}:${port}` };
}

/** Who asks, as the boot core knows it. Machines are known by their IPv4 address, so over IPv6 nobody is. */
export function requesterOf({ address }: Client): Requester {
  return isIPv4(address)
    ? { protocol: 'tftp', address: parseIpv4(address) }
    : { protocol: 'tftp', address: UNSPECIFIED, ipv6: address };
}
