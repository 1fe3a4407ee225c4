import { describe, expect, test } from 'vitest';
import type { MachineAnswer } from '../../server/cli/api-schema.js';
import { WatchedBoots } from '../../server/cli/watched-boots.js';

function machine(name: string, outcome?: string): MachineAnswer {
  const boot = {
    session: 's',
    key: name,
    mac: '52:54:00:00:00:01',
    firmware: 'bios',
    stage: 'dhcp',
    outcome: outcome ?? '',
    stages: {},
    openedAt: 0,
    lastStepAt: 0,
  };
  const nothing = { macs: [], systems: [], drift: [], changing: false };
  return { name, known: true, status: 'booting', ...nothing, ...(outcome === undefined ? {} : { boot }) };
}

describe('without names', () => {
  test('only boots under way count; old failures are nobody’s business', () => {
    const watched = new WatchedBoots([]);
    for (const one of [machine('old', 'failed'), machine('new', 'running'), machine('never')]) watched.put(one);
    expect(watched.machines.map(({ name }) => name)).toEqual(['new']);
    expect(watched.areOver).toBe(false);
    watched.put(machine('new', 'succeeded'));
    expect(watched.haveSucceeded).toBe(true);
  });

  test('nothing watched is not over', () => {
    expect(new WatchedBoots([]).areOver).toBe(false);
  });

  test('one failed boot fails all', () => {
    const watched = new WatchedBoots([]);
    for (const name of ['a', 'b']) watched.put(machine(name, 'running'));
    watched.put(machine('a', 'succeeded'));
    expect(watched.areOver).toBe(false);
    watched.put(machine('b', 'stalled'));
    expect([watched.areOver, watched.haveSucceeded]).toEqual([true, false]);
  });

  test('an approved machine goes by its new name', () => {
    const watched = new WatchedBoots([]);
    watched.put(machine('52:54:00:00:00:01', 'running'));
    watched.drop('52:54:00:00:00:01');
    watched.put(machine('node1', 'running'));
    expect(watched.machines.map(({ name }) => name)).toEqual(['node1']);
  });
});

describe('with names', () => {
  test('a boot that has ended already counts', () => {
    const watched = new WatchedBoots(['a']);
    watched.put(machine('a', 'failed'));
    watched.put(machine('other', 'running'));
    expect([watched.areOver, watched.haveSucceeded]).toEqual([true, false]);
  });

  test('a machine that never booted is waited for', () => {
    const watched = new WatchedBoots(['a', 'b']);
    watched.put(machine('a', 'succeeded'));
    watched.put(machine('b'));
    expect(watched.areOver).toBe(false);
  });

  test('events of other machines are not theirs', () => {
    const watched = new WatchedBoots(['52:54:00:00:00:01', 'b']);
    expect(watched.touch({ machine: 'c', mac: '52:54:00:00:00:09' })).toBe(false);
    expect(watched.touch({ machine: 'a', mac: '52:54:00:00:00:01' })).toBe(true);
    expect(watched.touch({ machine: 'b' })).toBe(true);
    expect(watched.takeStale()).toEqual(['52:54:00:00:00:01', 'b']);
    expect(watched.takeStale()).toEqual([]);
  });
});

test('machines are in the order in which people count', () => {
  const watched = new WatchedBoots([]);
  for (const name of ['node10', 'node9', 'node1']) watched.put(machine(name, 'running'));
  expect(watched.machines.map(({ name }) => name)).toEqual(['node1', 'node9', 'node10']);
});
