import { broadcastOf, contains, formatCidr, formatIpv4 } from '../domain/ipv4.js';
import type { Machine, RelayPort } from '../domain/machine.js';
import { opaqueHex } from '../domain/opaque-id.js';
import { relayKey } from '../domain/relay-key.js';
import type { Subnet } from '../domain/site.js';
import type { Path, Problem } from '../yaml/problem.js';
import { type Merged, missing } from './merged.js';
import type { SiteContext } from './site-file.js';

/** MACs, UUIDs and addresses that two machines would share, roles that are not there, addresses that no subnet can give. */
export function machineProblems({ machines, roles }: Merged, { subnets }: SiteContext): Problem[] {
  const problems: Problem[] = [];
  const owners = new Map<string, string>();
  for (const { value: machine, path } of machines) {
    for (const { key, shown, at } of identities(machine)) {
      const owner = owners.get(key);
      if (owner === undefined) owners.set(key, machine.name);
      else if (path !== undefined) {
        const twice = owner === machine.name ? 'is there twice' : `belongs to machine ${owner} already`;
        problems.push({ path: [...path, ...at], message: `${shown} ${twice}`, allowed: 'one machine for each' });
      }
    }
    if (path === undefined) continue;
    if (untold(machine)) {
      const allowed = 'at least one MAC, a uuid, a clientId or a relay';
      problems.push({
        path: [...path, 'macs'],
        message: 'is missing: nothing tells this machine from others',
        allowed,
      });
    }
    if (machine.relay !== undefined && relayKey(machine.relay) === undefined) {
      problems.push({ path: [...path, 'relay'], message: 'is empty', allowed: 'circuitId, remoteId, or both' });
    }
    if (machine.role !== undefined && !roles.has(machine.role)) {
      problems.push(missing([...path, 'role'], 'role', machine.role, roles.keys()));
    }
    problems.push(...diskProblems(machine, [...path, 'disks']));
    if (subnets !== undefined) problems.push(...addressProblems(machine, [...path, 'address'], subnets));
  }
  return problems;
}

function untold({ macs, uuid, clientId, relay }: Machine): boolean {
  return macs.length === 0 && uuid === undefined && clientId === undefined && relay === undefined;
}

function identities({ macs, uuid, clientId, relay, address }: Machine): { key: string; shown: string; at: Path }[] {
  return [
    ...macs.map((mac, index) => ({ key: `mac ${mac}`, shown: mac, at: ['macs', index] })),
    ...(uuid === undefined ? [] : [{ key: `uuid ${uuid}`, shown: uuid, at: ['uuid'] }]),
    ...(clientId === undefined
      ? []
      : [{ key: `client ${opaqueHex(clientId)}`, shown: `client id ${clientId}`, at: ['clientId'] }]),
    ...portIdentity(relay),
    ...(address === undefined ? [] : [{ key: `ip ${address}`, shown: formatIpv4(address), at: ['address'] }]),
  ];
}

function portIdentity(relay: RelayPort | undefined): { key: string; shown: string; at: Path }[] {
  const key = relay === undefined ? undefined : relayKey(relay);
  return key === undefined ? [] : [{ key: `port ${key}`, shown: 'this port', at: ['relay'] }];
}

/** Only a subnet in mode full gives addresses; elsewhere a reserved one could not be honoured. */
function addressProblems({ address }: Machine, path: Path, subnets: readonly Subnet[]): Problem[] {
  if (address === undefined) return [];
  const shown = formatIpv4(address);
  const full = subnets.filter(({ mode }) => mode === 'full');
  const subnet = full.find(({ cidr }) => contains(cidr, address));
  if (subnet === undefined) {
    const networks = full.map(({ cidr }) => formatCidr(cidr)).join(' | ');
    return [
      {
        path,
        message: `${shown} is in no subnet that this server gives addresses in`,
        allowed: networks === '' ? 'no address: no subnet of the configuration has mode full' : networks,
      },
    ];
  }
  const { cidr, router } = subnet;
  const edge = cidr.prefix < 31 && (address === cidr.network || address === broadcastOf(cidr));
  const allowed = `another address of ${formatCidr(cidr)}`;
  if (edge) return [{ path, message: `${shown} is the network or broadcast address of ${formatCidr(cidr)}`, allowed }];
  if (address === router) return [{ path, message: `${shown} is the router of ${formatCidr(cidr)}`, allowed }];
  return [];
}

/** Two labels on one device would mean formatting it twice. */
function diskProblems({ disks = {} }: Machine, path: Path): Problem[] {
  const labels = new Map<string, string>();
  return Object.entries(disks).flatMap(([label, device]) => {
    const other = labels.get(device);
    labels.set(device, other ?? label);
    if (other === undefined) return [];
    return [
      {
        path: [...path, label],
        message: `${device} is the device of ${other} already`,
        allowed: 'one label for each device',
      },
    ];
  });
}
