import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MachineTurns, QUANTUM } from '../../server/images/machine-turns.js';

const download = (machine: string, name = machine) => ({ machine, name });

test('a machine with one download is never stopped', () => {
  const turns = new MachineTurns<ReturnType<typeof download>>();
  const one = download('a');
  expect(turns.add(one)).toBe(true);
  for (let times = 0; times < 5; times += 1) {
    expect(turns.ready(one)).toEqual({ kind: 'send' });
    turns.sent(one, QUANTUM);
    expect(turns.look()).toEqual([]);
  }
  expect(turns.remove(one)).toBeUndefined();
  expect(turns.add(one)).toBe(true);
});

test('its downloads take turns, and one that ends makes room at once', () => {
  const turns = new MachineTurns<ReturnType<typeof download>>();
  const [a1, a2, a3] = ['1', '2', '3'].map((name) => download('a', name)) as [Named, Named, Named];
  expect([a1, a2, a3, download('b')].map((one) => turns.add(one))).toEqual([true, false, false, true]);
  turns.sent(a1, QUANTUM - 1);
  expect(turns.ready(a1)).toEqual({ kind: 'send' });
  turns.sent(a1, 1);
  expect(turns.ready(a1)).toEqual({ kind: 'rest', begin: a2 });
  expect([a1, a2, a3].map((one) => turns.waits(one))).toEqual([true, false, true]);
  expect(turns.remove(a2)).toBe(a3);
  expect(turns.remove(a1)).toBeUndefined();
  turns.sent(a3, QUANTUM);
  expect(turns.ready(a3)).toEqual({ kind: 'send' });
});

test('one that takes nothing loses its turn until it can take something', () => {
  const turns = new MachineTurns<Named>();
  const [still, alive] = [download('a', 'still'), download('a', 'alive')];
  turns.add(still);
  turns.add(alive);
  expect(turns.look()).toEqual([]);
  expect(turns.look()).toEqual([alive]);
  turns.sent(alive, 1);
  expect(turns.look()).toEqual([]);
  turns.sent(alive, QUANTUM);
  expect(turns.ready(alive)).toEqual({ kind: 'send' });
  expect(turns.ready(still)).toEqual({ kind: 'rest' });
  turns.sent(alive, QUANTUM);
  expect(turns.ready(alive)).toEqual({ kind: 'rest', begin: still });
  // Alone with one that stands still, and then without it.
  expect([turns.look(), turns.look()]).toEqual([[], [alive]]);
  expect(turns.remove(alive)).toBeUndefined();
  expect(turns.ready(still)).toEqual({ kind: 'send' });
  expect(turns.remove(still)).toBeUndefined();
  expect(turns.add(alive)).toBe(true);
});

test('a new one begins at once where all others stand still', () => {
  const turns = new MachineTurns<Named>();
  const [one, two, three] = ['1', '2', '3'].map((name) => download('a', name)) as [Named, Named, Named];
  turns.add(one);
  turns.add(two);
  turns.look();
  expect(turns.look()).toEqual([two]);
  expect(turns.remove(two)).toBeUndefined();
  expect(turns.add(three)).toBe(true);
  expect(turns.ready(one)).toEqual({ kind: 'rest' });
  expect(turns.remove(three)).toBe(one);
});

test('without an address everything goes at once', () => {
  const turns = new MachineTurns<ReturnType<typeof download>>();
  const many = [download(''), download(''), download('')];
  expect(many.map((one) => turns.add(one))).toEqual([true, true, true]);
  expect(many.map((one) => turns.remove(one))).toEqual([undefined, undefined, undefined]);
});

type Named = ReturnType<typeof download>;

test('with as many rounds as there are bytes, machines get the same, however many connections they have', () => {
  const rack = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 2, maxLength: 6 });
  fc.assert(
    fc.property(rack, (connections) => {
      const turns = new MachineTurns<Named>();
      let watched = new Set<Named>();
      connections.forEach((count, machine) => {
        for (let index = 0; index < count; index += 1) {
          const one = download(`m${machine}`, `${index}`);
          if (turns.add(one)) watched.add(one);
        }
      });
      const got = connections.map(() => 0);
      // epoll returns every download that is watched once a round; each takes what it is given.
      for (let round = 0; round < 40; round += 1) {
        for (const one of [...watched]) {
          const step = turns.ready(one);
          if (step.kind === 'send') {
            turns.sent(one, QUANTUM / 4);
            const machine = Number(one.machine.slice(1));
            got[machine] = (got[machine] ?? 0) + 1;
          } else {
            watched = new Set([...watched].filter((other) => other !== one).concat(step.begin ?? []));
          }
        }
        expect(watched.size).toBe(connections.length);
      }
      expect(Math.max(...got) / Math.min(...got)).toBeLessThanOrEqual(1.3);
    }),
    { numRuns: 30 },
  );
});
