import { describe, expect, test } from 'vitest';
import { expandNames, type MachineSelector, selectMachines } from '../../server/decide/machine-select.js';
import { parseMac } from '../../server/domain/mac.js';
import type { Machine } from '../../server/domain/machine.js';

const EXPANDED: Readonly<Record<string, readonly string[]>> = {
  node1: ['node1'],
  'node[1-3]': ['node1', 'node2', 'node3'],
  'node[08-11]': ['node08', 'node09', 'node10', 'node11'],
  'node[1,3,7-8]': ['node1', 'node3', 'node7', 'node8'],
  'r[1-2]n[1-2]': ['r1n1', 'r1n2', 'r2n1', 'r2n2'],
  'node[5]-ipmi': ['node5-ipmi'],
};
describe('ranges of names', () => {
  test.each(Object.entries(EXPANDED))('%s', (pattern, names) => expect(expandNames(pattern)).toEqual(names));
  test.each([
    'node[',
    'node]',
    'node[]',
    'node[3-1]',
    'node[a-c]',
    'node[1-]',
    'node]1[',
    'node[1-20000]',
    'a[1-200]b[1-200]',
    'n[1-999999999]',
  ])('%s is none', (pattern) => expect(() => expandNames(pattern)).toThrow(/range of names|more than/));
});

const machine = (name: string, role?: string, rack?: string): Machine => ({
  name,
  macs: [parseMac('52:54:00:00:00:01')],
  ...(role === undefined ? {} : { role }),
  labels: rack === undefined ? {} : { rack },
});
const machines = new Map(
  [machine('node10', 'web', 'r1'), machine('node2', 'web', 'r2'), machine('node1', 'db', 'r1'), machine('spare')].map(
    (one) => [one.name, one],
  ),
);
const ROWS: Readonly<Record<string, readonly [MachineSelector, readonly string[]]>> = {
  'all, as people count': [{ all: true }, ['node1', 'node2', 'node10', 'spare']],
  'a role': [{ role: 'web' }, ['node2', 'node10']],
  'a label': [{ labels: { rack: 'r1' } }, ['node1', 'node10']],
  'both must hold': [{ role: 'web', labels: { rack: 'r1' } }, ['node10']],
  'names in their order, each once': [{ names: ['node10', 'node[1-2]', 'node10'] }, ['node10', 'node1', 'node2']],
  'names that have a role': [{ names: ['node[1-2]'], role: 'db' }, ['node1']],
};
describe('the machines of a selector', () => {
  test.each(Object.entries(ROWS))('%s', (_why, [selector, names]) => {
    expect(selectMachines(machines, selector).map(({ name }) => name)).toEqual(names);
  });
  test('nothing said is refused: not all machines', () => {
    expect(() => selectMachines(machines, {})).toThrow('no machine is named');
    expect(() => selectMachines(machines, { labels: {} })).toThrow('no machine is named');
  });
  test('a name that is no machine stops all of them', () => {
    expect(() => selectMachines(machines, { names: ['node[1-3]'] })).toThrow('there is no machine node3');
    expect(() => selectMachines(machines, { role: 'mail' })).toThrow('no machine fits');
  });
});
