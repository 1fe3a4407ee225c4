import type { Ipv4 } from '../domain/ipv4.js';
import type { Machine } from '../domain/machine.js';
import type { Role } from '../domain/role.js';
import type { System } from '../domain/system.js';

/** Desired state by name. */
interface Desired {
  readonly machines: ReadonlyMap<string, Machine>;
  readonly roles: ReadonlyMap<string, Role>;
  readonly systems: ReadonlyMap<string, System>;
}

/**
 * Addresses written into the definition of a bridged system, with the machine that runs it: no pool gives them to another. Machines
 * are walked through only when there is such a system.
 */
export function systemAddresses({ machines, roles, systems }: Desired): ReadonlyMap<Ipv4, Machine> {
  const written = new Map<string, Ipv4>();
  for (const { name, network } of systems.values()) {
    if (network === undefined || network === 'host' || !('bridge' in network)) continue;
    if (network.address !== undefined) written.set(name, network.address);
  }
  const owners = new Map<Ipv4, Machine>();
  if (written.size === 0) return owners;
  for (const machine of machines.values()) {
    const role = machine.role === undefined ? undefined : roles.get(machine.role);
    for (const name of role?.systems ?? []) {
      const address = written.get(name);
      if (address !== undefined) owners.set(address, machine);
    }
  }
  return owners;
}
