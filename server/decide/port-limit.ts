import type { Ipv4 } from '../domain/ipv4.js';
import { portKey } from '../domain/relay-key.js';
import type { DhcpContext } from './dhcp-decision.js';
import { isLive } from './lease.js';

/** The port by which this packet's address is counted; undefined = it is not. */
export function limitedPort({ facts, machine, subnet }: DhcpContext): string | undefined {
  if (subnet.leasesPerPort === undefined || machine !== undefined || facts.relay === undefined) return undefined;
  // Relays of two networks may well name their ports alike.
  return `${subnet.cidr.network} ${portKey(facts.relay.circuitId, facts.relay.remoteId)}`;
}

/** Why no more addresses go to this port; undefined = this one may. Who has the address keeps it. */
export function portRefusal(context: DhcpContext, address: Ipv4): string | undefined {
  const { facts, subnet, addresses, now } = context;
  const port = limitedPort(context);
  if (port === undefined || subnet.leasesPerPort === undefined) return undefined;
  const lease = addresses.leaseAt(address);
  if (lease?.mac === facts.mac && isLive(lease, now)) return undefined;
  const count = addresses.leasesAtPort(port, facts.mac);
  if (count < subnet.leasesPerPort) return undefined;
  return `unknown machines at its port have ${count} addresses already (leasesPerPort: ${subnet.leasesPerPort})`;
}
