import { describe, expect, test } from 'vitest';
import { hasMoved, type MoveInput, moveChanges, planMove } from '../../server/decide/move.js';
import type { Machine } from '../../server/domain/machine.js';
import type { Role } from '../../server/domain/role.js';
import type { Holding } from '../../server/domain/standby.js';
import type { System, SystemStorage } from '../../server/domain/system.js';

const machine = (name: string, role?: string): Machine => ({
  name,
  macs: [],
  labels: {},
  ...(role === undefined ? {} : { role }),
});
const role = (name: string, ...systems: readonly string[]): Role => ({
  name,
  profile: 'live',
  mode: 'resident',
  systems,
  params: {},
});
const system = (name: string, storage: SystemStorage): System => ({
  name,
  kind: 'chroot',
  image: 'base',
  command: ['/bin/true'],
  env: {},
  files: {},
  storage,
  restart: 'always',
});

const roles = [role('db', 'db', 'cache', 'sized'), role('web', 'cache'), role('bare')];
const systems = [
  system('db', { label: 'data', path: 'systems/db' }),
  system('cache', 'ram'),
  system('sized', { label: 'data', path: 'sized', sizeBytes: 1 << 30 }),
];
const machines = [machine('n1', 'db'), machine('n2'), machine('n3', 'bare'), machine('n4', 'web'), machine('n5', 'db')];
const byName = <T extends { readonly name: string }>(all: readonly T[]) => new Map(all.map((one) => [one.name, one]));
const input = (over: Partial<MoveInput> = {}): MoveInput => ({
  from: 'n1',
  to: 'n2',
  machines: byName(machines),
  roles: byName(roles),
  systems: byName(systems),
  holdings: new Map(),
  isMoving: () => false,
  ...over,
});
const held = (place: string, holder: string, handing = false): ReadonlyMap<string, Holding> =>
  new Map([
    [place, { place, holder, since: 0, why: 'a test', ...(handing ? { handing: { to: 'n9', by: 'me', at: 0 } } : {}) }],
  ]);

test('what a role keeps on labelled disks moves: folders, and files that hold a file system', () => {
  expect(planMove(input())).toEqual({
    from: 'n1',
    to: 'n2',
    role: 'db',
    profile: 'live',
    storages: [
      { system: 'db', label: 'data', path: 'systems/db', form: 'folder' },
      { system: 'sized', label: 'data', path: 'sized', form: 'file' },
    ],
  });
});

describe('a move is refused, with its reason', () => {
  test.each<[string, Partial<MoveInput>, RegExp]>([
    ['to the machine itself', { to: 'n1' }, /to another machine/],
    ['to no machine', { to: 'n9' }, /there is no machine "n9"/],
    ['of a machine without a role', { from: 'n2', to: 'n3' }, /n2 has no role/],
    ['of a role that keeps nothing', { from: 'n4', to: 'n2' }, /no system of role web keeps anything on a disk/],
    ['to a machine that wants the same systems', { to: 'n5' }, /n5 has role db itself: its systems are wanted on both/],
    ['to a machine with other systems', { to: 'n4' }, /n4 has role web, which has systems/],
    ['while another one touches the target', { isMoving: (name) => name === 'n2' }, /n2 is part of a move already/],
    ['while another one touches the source', { isMoving: (name) => name === 'n1' }, /n1 is part of a move already/],
    ['when a spare holds the role', { holdings: held('n1', 'n9') }, /n9 holds the role of n1/],
    ['when the target holds a role', { holdings: held('n9', 'n2') }, /n2 holds the role of n9/],
    ['while the role is handed over', { holdings: held('n1', 'n1', true) }, /n1 holds the role of n1/],
  ])('%s', (_, over, why) => {
    expect(() => planMove(input(over))).toThrow(why);
  });

  test('but not when the role came back to its owner', () => {
    expect(planMove(input({ holdings: held('n1', 'n1') })).role).toBe('db');
  });
});

describe('the change of the desired state', () => {
  const desired = { machines, roles, systems };

  test('the target gets the role, the source what the target had', () => {
    const changes = moveChanges(planMove(input({ to: 'n3' })), desired);
    expect(changes.map(({ name, value }) => [name, value && 'role' in value ? value.role : undefined])).toEqual([
      ['n1', 'bare'],
      ['n3', 'db'],
    ]);
    expect(moveChanges(planMove(input()), desired).map(({ value }) => value)).toEqual([
      machine('n1'),
      machine('n2', 'db'),
    ]);
  });

  test.each([
    ['the source has another role', { machines: [machine('n1', 'web'), machine('n2')] }],
    ['the source was removed', { machines: [machine('n2')] }],
    ['the target has got systems', { machines: [machine('n1', 'db'), machine('n2', 'web')] }],
    ['the role writes elsewhere', { systems: [system('db', { label: 'other', path: 'systems/db' })] }],
    ['the role is gone', { roles: [role('web', 'cache')] }],
  ])('is refused when meanwhile %s', (_, over) => {
    expect(() => moveChanges(planMove(input()), { ...desired, ...over })).toThrow('the site was changed meanwhile');
  });
});

test.each([
  ['the role is where it was', 'db', undefined, false],
  ['it has changed hands', undefined, 'db', true],
  ['both have it: somebody gave it to the target by hand', 'db', 'db', false],
])('after a restart: %s', (_, from, to, moved) => {
  expect(hasMoved('db', machine('n1', from), machine('n2', to))).toBe(moved);
});
