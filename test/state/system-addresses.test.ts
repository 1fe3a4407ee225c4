import { expect, test } from 'vitest';
import type { Machine } from '../../server/domain/machine.js';
import type { Role } from '../../server/domain/role.js';
import type { System } from '../../server/domain/system.js';
import { systemAddresses } from '../../server/state/system-addresses.js';
import { ip } from '../support/dhcp-packets.js';

const named = <T extends { readonly name: string }>(...list: readonly T[]): ReadonlyMap<string, T> =>
  new Map(list.map((value) => [value.name, value]));
const machine = (name: string, role?: string): Machine => ({
  name,
  macs: [],
  labels: {},
  ...(role === undefined ? {} : { role }),
});
const system = (name: string, network?: System['network']): System => ({
  name,
  kind: 'container',
  image: 'base',
  command: ['a'],
  env: {},
  files: {},
  storage: 'ram',
  restart: 'always',
  ...(network === undefined ? {} : { network }),
});
const role: Role = { name: 'r', profile: 'live', mode: 'resident', systems: ['fixed', 'dhcp', 'host'], params: {} };

test('the address of a bridged system belongs to the machine that runs it, as long as one does', () => {
  const systems = named(
    system('fixed', { bridge: 'boot', address: ip('10.77.0.60') }),
    system('dhcp', { bridge: 'boot' }),
    system('host'),
    system('unused', { bridge: 'boot', address: ip('10.77.0.61') }),
  );
  const desired = { machines: named(machine('m', 'r'), machine('n')), roles: named(role), systems };
  expect([...systemAddresses(desired)]).toEqual([[ip('10.77.0.60'), machine('m', 'r')]]);
  expect(systemAddresses({ ...desired, machines: named(machine('m')) }).size).toBe(0);
});
