import fc from 'fast-check';
import { expect, test } from 'vitest';
import { QUANTUM } from '../../server/images/machine-turns.js';
import { SharedTurns } from '../../server/images/shared-turns.js';

interface Named {
  readonly machine: string;
  readonly name: string;
}
const download = (machine: string, name: string): Named => ({ machine, name });

test('a machine alone sends over all of its connections, shares when another comes, and is alone again', () => {
  const turns = new SharedTurns<Named>();
  const [a1, a2, a3, b] = [download('a', '1'), download('a', '2'), download('a', '3'), download('b', '1')];
  for (const one of [a1, a2, a3]) expect(turns.add(one)).toEqual({ begin: [one], rest: [] });
  for (const one of [a1, a2, a3]) expect(turns.ready(one)).toEqual({ kind: 'send' });
  expect(turns.add(b)).toEqual({ begin: [b], rest: [a2, a3] });
  expect([a1, a2, a3, b].map((one) => turns.waits(one))).toEqual([false, true, true, false]);
  expect(turns.remove(b)).toEqual([a2, a3]);
  for (const one of [a1, a2, a3]) expect(turns.ready(one)).toEqual({ kind: 'send' });
});

test('the last of a machine ends while another waits for its turn', () => {
  const turns = new SharedTurns<Named>();
  const [a1, a2, b] = [download('a', '1'), download('a', '2'), download('b', '1')];
  for (const one of [a1, a2, b]) turns.add(one);
  expect(turns.remove(a1)).toEqual([a2]);
  expect(turns.remove(b)).toEqual([]);
  expect(turns.remove(a2)).toEqual([]);
});

test('whatever comes and goes, each is watched or waits, none twice, and a machine alone never waits (property)', () => {
  const step = fc.record({
    kind: fc.constantFrom('come', 'come', 'go', 'ready', 'ready', 'look'),
    machine: fc.constantFrom('', 'a', 'b', 'c'),
    pick: fc.nat(20),
    bytes: fc.constantFrom(1, QUANTUM),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const turns = new SharedTurns<Named>();
      const all: Named[] = [];
      const watched = new Set<Named>();
      const begin = (ones: readonly Named[]): void => {
        for (const one of ones) {
          expect(watched.has(one)).toBe(false);
          watched.add(one);
        }
      };
      steps.forEach(({ kind, machine, pick, bytes }, index) => {
        const one = all[pick % Math.max(all.length, 1)];
        if (kind === 'come' || one === undefined) {
          const fresh = download(machine, `${index}`);
          all.push(fresh);
          const change = turns.add(fresh);
          for (const other of change.rest) expect(watched.delete(other)).toBe(true);
          begin(change.begin);
        } else if (kind === 'go') {
          all.splice(all.indexOf(one), 1);
          watched.delete(one);
          begin(turns.remove(one));
        } else if (kind === 'look') {
          begin(turns.look());
        } else if (watched.has(one)) {
          const next = turns.ready(one);
          if (next.kind === 'send') turns.sent(one, bytes);
          else {
            watched.delete(one);
            if (next.begin !== undefined) begin([next.begin]);
          }
        }
        const machines = new Set(all.map((other) => other.machine));
        for (const other of all) expect(turns.waits(other)).toBe(!watched.has(other));
        for (const name of machines)
          expect(all.some((other) => other.machine === name && watched.has(other))).toBe(true);
        machines.delete('');
        if (machines.size <= 1) expect(watched.size).toBe(all.length);
      });
    }),
    { numRuns: 300 },
  );
});
