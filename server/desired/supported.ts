import type { Profile } from '../domain/profile.js';
import type { Role } from '../domain/role.js';
import { networkKind, networkOf, type System, storageKind } from '../domain/system.js';

/** A field of a system that a role or its profile cannot honour. */
export interface Unsupported {
  readonly field: string;
  readonly message: string;
  readonly allowed: string;
}

/** What this role's profile cannot honour of a system: refused, never left out. */
export function unsupported(role: Role, system: System, { name, supports }: Profile): readonly Unsupported[] {
  const problems: Unsupported[] = [];
  const refuse = (field: string, message: string, allowed: string): void =>
    void problems.push({ field, message, allowed });
  const { kind } = system;
  const storage = storageKind(system.storage);
  const network = networkKind(networkOf(system));
  if (!supports.kinds.includes(kind)) refuse('kind', `profile ${name} cannot run kind ${kind}`, choice(supports.kinds));
  if (!supports.storage.includes(storage)) {
    refuse('storage', `profile ${name} has no storage ${STORAGE_WORDS[storage]}`, choice(supports.storage));
  }
  if (!supports.networks.includes(network)) {
    refuse('network', `profile ${name} has no network ${network}`, choice(supports.networks));
  }
  for (const feature of ['layer', 'disk', 'after', 'health'] as const) {
    if (system[feature] === undefined || supports.features.includes(feature)) continue;
    refuse(feature, `profile ${name} has no ${feature}`, `no ${feature}`);
  }
  if (role.mode === 'single') problems.push(...unsupportedAlone(system));
  const limits = [['memory', system.memoryBytes] as const, ['cpus', system.cpus] as const];
  for (const [field, value] of limits) {
    if (value === undefined) continue;
    if (role.mode === 'single') {
      refuse(field, `in mode single it gets the whole machine, ${field} cannot be limited`, `no ${field}`);
    } else if (!supports.limits.includes(field)) {
      refuse(field, `profile ${name} cannot limit ${field}`, `no ${field}`);
    }
  }
  return problems;
}

const STORAGE_WORDS = { ram: 'ram', 'ram-size': '{ram: SIZE}', label: '{label: …}' } as const;

/** In single mode nobody is left who could make networks, mount partitions or watch: the system is PID 1. */
function unsupportedAlone(system: System): Unsupported[] {
  const problems: Unsupported[] = [];
  const refuse = (field: string, message: string, allowed: string): void =>
    void problems.push({ field, message: `in mode single ${message}`, allowed });
  if (system.kind === 'vm')
    refuse('kind', 'the system is the machine’s own root, and a VM has none', 'chroot | container');
  if (system.storage !== 'ram') refuse('storage', 'it writes to the machine’s RAM', 'ram');
  if (system.network !== undefined && system.network !== 'host') {
    refuse('network', 'the machine’s network is its own', 'host');
  }
  if (system.after !== undefined) refuse('after', 'there is no other system', 'no after');
  if (system.health !== undefined) refuse('health', 'nobody is left to check it', 'no health');
  return problems;
}

export function choice(words: readonly string[]): string {
  return words.length === 0 ? 'none' : words.join(' | ');
}
