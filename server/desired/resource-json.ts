import type { z } from 'zod';
import { type DhcpOptionWords, isWordList } from '../domain/dhcp-options.js';
import { formatIpv4 } from '../domain/ipv4.js';
import type { Machine } from '../domain/machine.js';
import type { Role } from '../domain/role.js';
import type { System } from '../domain/system.js';
import type { machineSchema, roleSchema, systemSchema } from './schemas.js';
import { formatMemory } from './text-forms.js';

// Resources in the form of site files and of the REST API: what parseMachine and its like read. Addresses are dotted, memory is text
// with the largest unit that divides it (`128M`); lists and maps are there even when empty, single values only when set.

export type MachineJson = z.input<typeof machineSchema>;
export type RoleJson = z.input<typeof roleSchema>;
export type SystemJson = z.input<typeof systemSchema>;

export function machineToJson({ address, macs, ...rest }: Machine): MachineJson {
  const { name, uuid, serial, clientId, relay, role, labels, loader, options, bootFiles } = rest;
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
  };
}

export function roleToJson({ name, profile, mode, systems, params, loader, options }: Role): RoleJson {
  return {
    name,
    profile,
    mode,
    systems: [...systems],
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
  const { name, kind, image, command, env, files, memoryBytes, cpus, storage, restart } = system;
  return {
    name,
    kind,
    image,
    command: [...command],
    env: { ...env },
    files: { ...files },
    ...(memoryBytes === undefined ? {} : { memory: formatMemory(memoryBytes) }),
    ...(cpus === undefined ? {} : { cpus }),
    storage,
    restart,
  };
}
