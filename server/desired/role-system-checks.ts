import { formatIpv4 } from '../domain/ipv4.js';
import type { Machine } from '../domain/machine.js';
import type { Role } from '../domain/role.js';
import { networkOf, type System } from '../domain/system.js';
import type { Path, Problem } from '../yaml/problem.js';
import type { Merged, Placed } from './merged.js';

/**
 * Systems that are right by themselves and wrong beside each other on one machine: ports and places that two would have, an order
 * that cannot be, an address or MAC that several machines would have. Blamed on the system if the file holds it, else on the role.
 */
export function roleSystemProblems({ roles, systems, machines }: Merged): Problem[] {
  return [...roles.values()].flatMap((placed) => {
    const used = placed.value.systems.flatMap((name, index) => {
      const system = systems.get(name);
      const at = system?.path ?? (placed.path === undefined ? undefined : [...placed.path, 'systems', index]);
      return system === undefined ? [] : [{ system: system.value, own: system.path !== undefined, at }];
    });
    const holders = machines.filter(({ value }) => value.role === placed.value.name);
    return [
      ...orderProblems(placed.value, used),
      ...clashes(placed.value, used),
      ...identityProblems(placed.value, used, holders),
    ];
  });
}

interface Used {
  readonly system: System;
  /** The system itself stands in the file. */
  readonly own: boolean;
  /** Where to blame; absent: neither system nor role stands in the file. */
  readonly at: Path | undefined;
}

function blame({ own, at }: Used, field: string, message: string, allowed: string): Problem[] {
  return at === undefined ? [] : [{ path: own ? [...at, field] : at, message, allowed }];
}

function orderProblems(role: Role, used: readonly Used[]): Problem[] {
  const byName = new Map(used.map((one) => [one.system.name, one]));
  const reaches = (from: string, to: string, seen = new Set<string>()): boolean =>
    (byName.get(from)?.system.after ?? []).some((next) => {
      if (next === to) return true;
      if (seen.has(next)) return false;
      seen.add(next);
      return reaches(next, to, seen);
    });
  return used.flatMap((one) => {
    const { name, after = [] } = one.system;
    const gone = after.filter((other) => !byName.has(other));
    return [
      ...gone.flatMap((other) =>
        blame(one, 'after', `role ${role.name} starts ${name}, but not ${other}`, role.systems.join(' | ')),
      ),
      ...(reaches(name, name) ? blame(one, 'after', `${name} would wait for itself`, 'an order without a circle') : []),
    ];
  });
}

/** What only one system of a machine can have: a forwarded port, a place on a partition. */
function clashes(role: Role, used: readonly Used[]): Problem[] {
  const owners = new Map<string, string>();
  return used.flatMap((one) =>
    takenBy(one.system).flatMap(({ key, shown, field }) => {
      const owner = owners.get(key);
      owners.set(key, owner ?? one.system.name);
      if (owner === undefined) return [];
      const whose =
        owner === one.system.name ? 'is there twice' : `belongs to system ${owner} in role ${role.name} already`;
      return blame(one, field, `${shown} ${whose}`, 'one system for each');
    }),
  );
}

function takenBy(system: System): { key: string; shown: string; field: string }[] {
  const { storage } = system;
  const network = networkOf(system);
  const ports = network !== 'host' && 'nat' in network ? network.ports : [];
  return [
    ...ports.map(({ protocol, from }) => ({
      key: `${protocol} ${from}`,
      shown: `port ${from}/${protocol} of the machine`,
      field: 'network',
    })),
    ...(storage !== 'ram' && 'label' in storage
      ? [
          {
            key: `disk ${storage.label} ${storage.path}`,
            shown: `${storage.path} on ${storage.label}`,
            field: 'storage',
          },
        ]
      : []),
  ];
}

/** A written MAC or address is one card's: one machine only may have the role, and no machine may have the address. */
function identityProblems(role: Role, used: readonly Used[], holders: readonly Placed<Machine>[]): Problem[] {
  return used.flatMap((one) => {
    const network = networkOf(one.system);
    if (network === 'host' || !('bridge' in network)) return [];
    const fixed = network.mac !== undefined || network.address !== undefined;
    if (!fixed || holders.length < 2) return [];
    const what = network.address === undefined ? `MAC ${network.mac}` : `address ${formatIpv4(network.address)}`;
    const names = holders.map(({ value }) => value.name).join(', ');
    return blame(
      one,
      'network',
      `${what} would be on ${names}, which all have role ${role.name}`,
      'one machine, or DHCP',
    );
  });
}
