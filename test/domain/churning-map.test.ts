import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ChurningMap } from '../../server/domain/churning-map.js';

test('it holds what a Map holds, in the same order, however much comes and goes', () => {
  const step = fc.record({ key: fc.nat(40), set: fc.boolean(), value: fc.nat() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.nat(1200), (steps, kept) => {
      const map = new ChurningMap<number, number>();
      const model = new Map<number, number>();
      // Entries that stay: with more of them it is copied later.
      for (let key = 1000; key < 1000 + kept; key++) {
        map.set(key, key);
        model.set(key, key);
      }
      // Over the number of removals after which it is copied.
      for (let round = 0; round < 20; round++) {
        for (const { key, set, value } of steps) {
          if (set) {
            map.set(key, value);
            model.set(key, value);
          } else {
            expect(map.delete(key)).toBe(model.delete(key));
          }
          expect(map.get(key)).toBe(model.get(key));
          expect(map.has(key)).toBe(model.has(key));
        }
      }
      expect([...map.values()]).toEqual([...model.values()]);
    }),
    { numRuns: 30 },
  );
});
