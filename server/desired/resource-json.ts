import type { z } from 'zod';
import { type DhcpOptionWords, isWordList } from '../domain/dhcp-options.js';
import { formatIpv4 } from '../domain/ipv4.js';
import type { Machine } from '../domain/machine.js';
import type { Role } from '../domain/role.js';
import type { HealthCheck, System, SystemNetwork, SystemStorage } from '../domain/system.js';
import type { machineSchema, roleSchema, systemSchema } from './schemas.js';
import { sparesToJson } from './spare-schema.js';
import { formatMemory, formatPort } from './text-forms.js';

// Resources in the form of site files and of the REST API: what parseMachine and its like read. Addresses are dotted, memory is text
// with the largest unit that divides it (`128M`); lists and maps are there even when empty, single values only when set.

export type MachineJson = z.input<typeof machineSchema>;
export type RoleJson = z.input<typeof roleSchema>;
export type SystemJson = z.input<typeof systemSchema>;

export function machineToJson({ address, macs, ...rest }: Machine): MachineJson {
  const { name, uuid, serial, clientId, relay, role, labels, loader, options, bootFiles, disks } = rest;
  return {
    name,
    macs: [...macs],
    ...(uuid === undefined ? {} : { uuid }),
    ...(serial === undefined ? {} : { serial }),
    ...(clientId === undefined ? {} : { clientId }),
    ...(relay === undefined ? {} : { relay: { ...relay } }),
    ...(address === undefined ? {} : { address: formatIpv4(address) }),
    ...(role === undefined ? {} : { role }),
    labels: { ...labels },
    ...(loader === undefined ? {} : { loader }),
    ...(options === undefined ? {} : { options: optionsToJson(options) }),
    ...(bootFiles === undefined ? {} : { bootFiles: { ...bootFiles } }),
    ...(disks === undefined ? {} : { disks: { ...disks } }),
  };
}

export function roleToJson({ name, profile, mode, systems, params, loader, options, spares }: Role): RoleJson {
  return {
    name,
    profile,
    mode,
    systems: [...systems],
    ...(spares === undefined ? {} : sparesToJson(spares)),
    params: { ...params },
    ...(loader === undefined ? {} : { loader }),
    ...(options === undefined ? {} : { options: optionsToJson(options) }),
  };
}

function optionsToJson(options: DhcpOptionWords): NonNullable<RoleJson['options']> {
  return Object.fromEntries(
    Object.entries(options).map(([key, word]) => [
      key,
      isWordList(word) ? [...word] : typeof word === 'object' ? { ...word } : word,
    ]),
  );
}

export function systemToJson(system: System): SystemJson {
  const { name, kind, image, layer, disk, kernel, command, env, files, memoryBytes, cpus, restart, after } = system;
  const { storage, network, health } = system;
  return {
    name,
    kind,
    ...(image === undefined ? {} : { image }),
    ...(layer === undefined ? {} : { layer }),
    ...(disk === undefined ? {} : { disk }),
    ...(kernel === undefined ? {} : { kernel }),
    command: [...command],
    env: { ...env },
    files: { ...files },
    ...(memoryBytes === undefined ? {} : { memory: formatMemory(memoryBytes) }),
    ...(cpus === undefined ? {} : { cpus }),
    storage: storageToJson(storage),
    ...(network === undefined ? {} : { network: networkToJson(network) }),
    restart,
    ...(after === undefined ? {} : { after: [...after] }),
    ...(health === undefined ? {} : { health: healthToJson(health) }),
  };
}

function storageToJson(storage: SystemStorage): SystemJson['storage'] {
  if (storage === 'ram') return storage;
  if ('ramBytes' in storage) return { ram: formatMemory(storage.ramBytes) };
  const { label, path, sizeBytes } = storage;
  return { label, path, ...(sizeBytes === undefined ? {} : { size: formatMemory(sizeBytes) }) };
}

function networkToJson(network: SystemNetwork): NonNullable<SystemJson['network']> {
  if (network === 'host') return network;
  if ('nat' in network) return { nat: network.nat, ports: network.ports.map(formatPort) };
  const { bridge, mac, address } = network;
  return {
    bridge,
    ...(mac === undefined ? {} : { mac }),
    ...(address === undefined ? {} : { address: formatIpv4(address) }),
  };
}

function healthToJson({ check, ...times }: HealthCheck): NonNullable<SystemJson['health']> {
  const { intervalSeconds, timeoutSeconds, retries } = times;
  return { ...checkToJson(check), interval: `${intervalSeconds}s`, timeout: `${timeoutSeconds}s`, retries };
}

function checkToJson(check: HealthCheck['check']): Pick<NonNullable<SystemJson['health']>, 'command' | 'http' | 'tcp'> {
  if ('command' in check) return { command: [...check.command] };
  return 'http' in check ? { http: { ...check.http } } : { tcp: check.tcp };
}
