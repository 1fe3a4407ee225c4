import type { DhcpFacts } from '../boot/contract.js';
import type { Mac } from '../domain/mac.js';
import type { Machine } from '../domain/machine.js';
import { relayKey } from '../domain/relay-key.js';

/** Who a machine is told by; O(1) each. Ids are in hex. */
export interface MachineIndex {
  machineByMac(mac: Mac): Machine | undefined;
  machineByUuid(uuid: string): Machine | undefined;
  machineByClientId(clientId: string): Machine | undefined;
  /** The machine that is plugged into this port. */
  machineByPort(circuitId: string | undefined, remoteId: string | undefined): Machine | undefined;
}

/** What is known of the sender: a DHCP packet says a lot, a name in a URL only the MAC. */
export type Evidence = Pick<DhcpFacts, 'mac'> &
  Partial<Pick<DhcpFacts, 'uuid' | 'clientId' | 'relay' | 'renewing' | 'client'>>;

/**
 * The machine that a packet comes from. The port it is plugged into (option 82) is the strongest evidence, because the machine
 * cannot choose it; then MAC; then SMBIOS UUID and client id, for machines that list no MAC. A machine that is pinned to a port is told by that port alone: its MAC or
 * UUID from elsewhere is somebody else's. Only a renewal that names no port is spared: it goes straight to the server.
 */
export function identify(evidence: Evidence, index: MachineIndex): Machine | undefined {
  const { mac, uuid, clientId, relay } = evidence;
  if (relay !== undefined) {
    const pinned = index.machineByPort(relay.circuitId, relay.remoteId);
    if (pinned !== undefined) return pinned;
  }
  // A card that is not in the list of a machine that has one is not taken for it: a UUID is easy to make up.
  const withoutMacs = (machine: Machine | undefined): Machine | undefined =>
    machine === undefined || machine.macs.length > 0 ? undefined : machine;
  const found =
    index.machineByMac(mac) ??
    withoutMacs(uuid === undefined ? undefined : index.machineByUuid(uuid)) ??
    withoutMacs(clientId === undefined ? undefined : index.machineByClientId(clientId));
  if (found?.relay === undefined || relayKey(found.relay) === undefined) return found;
  const isPacket = evidence.client !== undefined;
  return isPacket && (evidence.renewing !== true || relay !== undefined) ? undefined : found;
}
