import { expect, test } from 'vitest';
import { ChangeTurns } from '../../server/decide/change-turns.js';

function turns(atOnce = 1): { readonly turns: ChangeTurns; readonly wait: (seconds: number) => void } {
  let now = 0;
  return {
    turns: new ChangeTurns({ clock: () => now, atOnce: () => atOnce }),
    wait: (seconds) => {
      now += seconds * 1000;
    },
  };
}

test('so many at once; the next when one is done', () => {
  const { turns: all } = turns(2);
  expect(['a', 'b', 'c'].map((name) => all.ask(name, true, true))).toEqual(['begin', 'begin', 'wait']);
  expect(all.ask('a', true, true)).toBe('again');
  expect(all.ask('a', false, false)).toBe('none');
  expect(all.ask('c', true, true)).toBe('wait');
  expect(all.ask('a', false, true)).toBe('done');
  expect(all.ask('c', true, true)).toBe('begin');
  expect(['a', 'b', 'c'].map((name) => all.has(name))).toEqual([false, true, true]);
  expect(all.ask('d', false, true)).toBe('none');
});

test('one that is late gives its turn to others, and has its next one later each time', () => {
  const { turns: all, wait } = turns();
  all.ask('a', true, true);
  wait(119);
  expect([all.ask('a', true, true), all.ask('b', true, true)]).toEqual(['again', 'wait']);
  wait(1);
  expect([all.ask('a', true, true), all.ask('b', true, true)]).toEqual(['late', 'begin']);
  expect(all.ask('b', false, true)).toBe('done');
  expect(all.ask('a', true, true)).toBe('wait');
  wait(60);
  expect(all.ask('a', true, true)).toBe('begin');
  wait(120);
  expect(all.ask('a', true, true)).toBe('late');
  wait(60);
  expect(all.ask('a', true, true)).toBe('wait');
  wait(60);
  expect(all.ask('a', true, true)).toBe('begin');
  expect(all.ask('a', false, true)).toBe('done');
  expect(all.ask('a', true, true)).toBe('begin');
});

test('one that was told and fell silent frees its place', () => {
  const { turns: all, wait } = turns();
  all.ask('gone', true, true);
  wait(120);
  expect(all.ask('b', true, true)).toBe('begin');
});
