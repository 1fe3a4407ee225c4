import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OptionSet } from '../../../server/wire/dhcp/option-set.js';

const step = fc.record({
  code: fc.integer({ min: 1, max: 12 }),
  what: fc.constantFrom('set', 'place', 'delete'),
  value: fc.uint8Array({ maxLength: 6 }),
});

test('it is a Map: the same content in the same order, wherever the bytes lie', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.nat(5), (steps, before) => {
      const packet = Uint8Array.from([
        ...new Array<number>(before).fill(9),
        ...steps.flatMap(({ value }) => [...value]),
      ]);
      const set = new OptionSet(packet);
      const model = new Map<number, Uint8Array>();
      let at = before;
      for (const { code, what, value } of steps) {
        if (what === 'set') {
          set.set(code, value);
          model.set(code, value);
        } else if (what === 'delete') {
          expect(set.delete(code)).toBe(model.delete(code));
        } else {
          expect(set.place(code, at, value.length)).toBe(!model.has(code));
          if (!model.has(code)) model.set(code, value);
        }
        at += value.length;
        expect(set.get(code)).toEqual(model.get(code));
        expect(set.has(code)).toBe(model.has(code));
      }
      expect(set.size).toBe(model.size);
      expect([...set]).toEqual([...model]);
      expect([...set.keys()]).toEqual([...model.keys()]);
      expect([...set.values()]).toEqual([...model.values()]);
      const seen: [number, Uint8Array][] = [];
      set.forEach((value, code) => {
        seen.push([code, value]);
      });
      expect(seen).toEqual([...model]);
    }),
  );
});

test('two sets with other bytes are not equal, even if nobody has asked for them', () => {
  const one = new OptionSet(Uint8Array.of(1, 2));
  const two = new OptionSet(Uint8Array.of(1, 3));
  for (const set of [one, two]) set.place(53, 0, 2);
  expect(one).not.toEqual(two);
  two.set(53, Uint8Array.of(1, 2));
  expect(one).toEqual(two);
});
