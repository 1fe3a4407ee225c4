import type { Change, DesiredState } from '../domain/desired.js';
import { conflict, invalid, notFound } from '../domain/errors.js';
import type { Machine } from '../domain/machine.js';
import type { Role } from '../domain/role.js';
import type { Holding } from '../domain/standby.js';
import type { System } from '../domain/system.js';

/** What one system keeps on a labelled disk: a folder, or a file that holds a file system when its size is limited. */
export interface MovedStorage {
  readonly system: string;
  readonly label: string;
  readonly path: string;
  readonly form: 'folder' | 'file';
}

/** A role that goes from one machine to another, with what its systems have written. */
export interface MovePlan {
  readonly from: string;
  readonly to: string;
  readonly role: string;
  readonly profile: string;
  readonly storages: readonly MovedStorage[];
}

export interface MoveInput {
  readonly from: string;
  readonly to: string;
  /** As written. */
  readonly machines: ReadonlyMap<string, Machine>;
  readonly roles: ReadonlyMap<string, Role>;
  readonly systems: ReadonlyMap<string, System>;
  readonly holdings: ReadonlyMap<string, Holding>;
  readonly isMoving: (name: string) => boolean;
}

/** Throws `conflict`, `invalid` or `not_found` with the reason why this role cannot move. */
export function planMove(input: MoveInput): MovePlan {
  const { from, to, machines, roles, holdings } = input;
  if (from === to) throw invalid('a role moves to another machine', { field: 'to' });
  const source = machines.get(from);
  const target = machines.get(to);
  if (source === undefined) throw conflict(`${from} is no machine of the site`);
  if (target === undefined) throw notFound(`there is no machine "${to.slice(0, 80)}"`, { field: 'to' });
  for (const name of [from, to]) {
    if (input.isMoving(name)) throw conflict(`${name} is part of a move already`, { remedy: 'see: anybios job list' });
    for (const { place, holder, handing } of holdings.values())
      if ((place === name || holder === name) && (place !== holder || handing !== undefined))
        throw conflict(`${holder} holds the role of ${place}`, { remedy: `anybios machine hand-over ${holder}` });
  }
  const role = source.role === undefined ? undefined : roles.get(source.role);
  if (role === undefined) throw conflict(`${from} has no role that could move`);
  if (target.role === role.name)
    throw conflict(`${to} has role ${role.name} itself: its systems are wanted on both machines`, { field: 'to' });
  if ((roles.get(target.role ?? '')?.systems ?? []).length > 0)
    throw conflict(`${to} has role ${target.role}, which has systems: a machine has one role`, {
      field: 'to',
      remedy: 'a machine that stands by (a spare), or has a role without systems',
    });
  const storages = storagesOf(role, input.systems);
  if (storages.length === 0)
    throw conflict(`no system of role ${role.name} keeps anything on a disk`, {
      remedy: `nothing is to be copied: anybios machine assign ${to} ${role.name}`,
    });
  return { from, to, role: role.name, profile: role.profile, storages };
}

/** What the systems of a role keep on labelled disks. */
export function storagesOf(role: Role, systems: ReadonlyMap<string, System>): readonly MovedStorage[] {
  return role.systems.flatMap((name) => {
    const storage = systems.get(name)?.storage;
    if (typeof storage !== 'object' || !('label' in storage)) return [];
    const { label, path, sizeBytes } = storage;
    return [{ system: name, label, path, form: sizeBytes === undefined ? 'folder' : 'file' } as const];
  });
}

/**
 * The two machines change roles, so that the one that is left keeps a live OS to boot if the other had one. Throws `conflict` when the
 * site was changed since the plan was made.
 */
export function moveChanges(plan: MovePlan, { machines, roles, systems }: DesiredState): readonly Change[] {
  const [source, target] = [plan.from, plan.to].map((name) => machines.find((machine) => machine.name === name));
  const role = roles.find(({ name }) => name === plan.role);
  const bySystem = new Map(systems.map((system) => [system.name, system]));
  const same = role !== undefined && JSON.stringify(storagesOf(role, bySystem)) === JSON.stringify(plan.storages);
  const free = (roles.find(({ name }) => name === target?.role)?.systems ?? []).length === 0;
  if (source === undefined || target === undefined || source.role !== plan.role || !same || !free)
    throw conflict('the site was changed meanwhile', { remedy: 'look at it, and move it again' });
  const { role: _leaves, ...bare } = source;
  return [
    change({ ...bare, ...(target.role === undefined ? {} : { role: target.role }) }),
    change({ ...target, role: plan.role }),
  ];
}

const change = (value: Machine): Change => ({
  kind: 'machine',
  action: 'change',
  name: value.name,
  fields: ['role'],
  value,
});

/** Whether the role has changed hands: what a server that was restarted in the middle goes by. */
export function hasMoved(role: string, from: Machine | undefined, to: Machine | undefined): boolean {
  return to?.role === role && from?.role !== role;
}
