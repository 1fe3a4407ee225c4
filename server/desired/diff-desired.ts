import { isDeepStrictEqual } from 'node:util';
import type { Change, DesiredKind, DesiredState } from '../domain/desired.js';
import { conflict, notFound } from '../domain/errors.js';
import { machineToJson, roleToJson, systemToJson } from './resource-json.js';
import type { SiteFile } from './site-file.js';

/**
 * What must change so that the site is as the file says. Only with `prune` is something removed, and only of the kinds that the file
 * lists. In an order in which every step is right: machines leave, then systems, roles and machines are written, then roles and
 * systems leave. Throws `conflict` when something would be removed that is still referred to.
 */
export function diffDesired(
  current: DesiredState,
  wanted: SiteFile,
  { prune = false }: { readonly prune?: boolean } = {},
): Change[] {
  const systems = compare(current.systems, wanted.systems, prune, (s) => ({ ...systemToJson(s) }));
  const roles = compare(current.roles, wanted.roles, prune, (r) => ({ ...roleToJson(r) }));
  const machines = compare(current.machines, wanted.machines, prune, (m) => ({ ...machineToJson(m) }));
  const changes: Change[] = [
    ...machines.removed.map((change) => ({ kind: 'machine' as const, ...change })),
    ...systems.written.map((change) => ({ kind: 'system' as const, ...change })),
    ...roles.written.map((change) => ({ kind: 'role' as const, ...change })),
    ...machines.written.map((change) => ({ kind: 'machine' as const, ...change })),
    ...roles.removed.map((change) => ({ kind: 'role' as const, ...change })),
    ...systems.removed.map((change) => ({ kind: 'system' as const, ...change })),
  ];
  refuseDangling(applyTo(current, changes), changes);
  return changes;
}

/** The change that removes one thing. Throws `not_found`, and `conflict` naming what still refers to it. */
export function removalOf(current: DesiredState, kind: DesiredKind, name: string): Change {
  if (!current[`${kind}s`].some((other) => other.name === name)) {
    throw notFound(`there is no ${kind} "${name}"`, { field: 'name' });
  }
  const change: Change = { kind, action: 'remove', name, fields: [] };
  refuseDangling(applyTo(current, [change]), [change]);
  return change;
}

/** The state after the changes; what is not changed keeps its place. */
export function applyTo(current: DesiredState, changes: readonly Change[]): DesiredState {
  const machines = new Map(current.machines.map((machine) => [machine.name, machine]));
  const roles = new Map(current.roles.map((role) => [role.name, role]));
  const systems = new Map(current.systems.map((system) => [system.name, system]));
  for (const change of changes) {
    switch (change.kind) {
      case 'machine':
        put(machines, change.name, change.value);
        break;
      case 'role':
        put(roles, change.name, change.value);
        break;
      case 'system':
        put(systems, change.name, change.value);
        break;
    }
  }
  return { machines: [...machines.values()], roles: [...roles.values()], systems: [...systems.values()] };
}

function put<T>(map: Map<string, T>, name: string, value: T | undefined): void {
  if (value === undefined) map.delete(name);
  else map.set(name, value);
}

interface Written<T> {
  readonly action: 'add' | 'change';
  readonly name: string;
  readonly fields: readonly string[];
  readonly value: T;
}

interface Removed {
  readonly action: 'remove';
  readonly name: string;
  readonly fields: readonly [];
}

type Form = Readonly<Record<string, unknown>>;

/** `form` gives the fields as site files name them; the order of keys in a map is no difference, that of a list is. */
function compare<T extends { readonly name: string }>(
  current: readonly T[],
  wanted: readonly T[] | undefined,
  prune: boolean,
  form: (value: T) => Form,
): { readonly written: Written<T>[]; readonly removed: Removed[] } {
  const old = new Map(current.map((value) => [value.name, value]));
  const written: Written<T>[] = [];
  for (const value of wanted ?? []) {
    const before = old.get(value.name);
    const fields = differing(before === undefined ? {} : form(before), form(value));
    if (fields.length > 0)
      written.push({ action: before === undefined ? 'add' : 'change', name: value.name, fields, value });
  }
  const kept = new Set(wanted?.map(({ name }) => name));
  const removed =
    prune && wanted !== undefined
      ? current
          .filter(({ name }) => !kept.has(name))
          .map(({ name }): Removed => ({ action: 'remove', name, fields: [] }))
      : [];
  return { written, removed };
}

function differing(before: Form, after: Form): string[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].filter((key) => !isDeepStrictEqual(before[key], after[key]));
}

function refuseDangling(after: DesiredState, changes: readonly Change[]): void {
  const gone = (kind: DesiredKind, name: string): boolean =>
    changes.some((change) => change.action === 'remove' && change.kind === kind && change.name === name);
  const reasons = [
    ...after.machines.flatMap(({ name, role }) =>
      role !== undefined && gone('role', role) ? [`role "${role}" cannot be removed: machine ${name} has it`] : [],
    ),
    ...after.roles.flatMap(({ name, systems }) =>
      systems
        .filter((system) => gone('system', system))
        .map((system) => `system "${system}" cannot be removed: role ${name} starts it`),
    ),
  ];
  if (reasons.length === 0) return;
  throw conflict(reasons.join('\n'), { remedy: 'change or remove what refers to it in the same step or before' });
}
