import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AddressSet } from '../../server/domain/address-set.js';
import type { Ipv4 } from '../../server/domain/ipv4.js';
import { NumberMap } from '../../server/domain/number-map.js';
import { TextMemo } from '../../server/domain/text-memo.js';

const address = fc.oneof(
  fc.integer({ min: 0, max: 70 }),
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
) as fc.Arbitrary<Ipv4>;
const steps = fc.array(fc.record({ address, add: fc.boolean() }), { maxLength: 300 });

describe('what is made for many machines', () => {
  test('AddressSet is a Set', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const set = new AddressSet();
        const model = new Set<Ipv4>();
        for (const { address: its, add } of all) {
          if (add) {
            set.add(its);
            model.add(its);
          } else {
            set.delete(its);
            model.delete(its);
          }
          expect(set.has(its)).toBe(model.has(its));
          expect(set.size).toBe(model.size);
        }
        for (const { address: its } of all) expect(set.has(its)).toBe(model.has(its));
      }),
    );
  });

  test('NumberMap is a Map, without the order', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const map = new NumberMap<{ index: number }>();
        const model = new Map<number, { index: number }>();
        all.forEach(({ address: its, add }, index) => {
          if (add) {
            map.set(its, { index });
            model.set(its, { index });
          } else {
            expect(map.delete(its)).toBe(model.delete(its));
          }
          expect(map.get(its)).toEqual(model.get(its));
          expect(map.has(its)).toBe(model.has(its));
        });
        const sorted = (values: Iterable<{ index: number }>): number[] =>
          [...values].map((v) => v.index).sort((a, b) => a - b);
        expect(sorted(map.values())).toEqual(sorted(model.values()));
      }),
    );
  });

  test('NumberMap goes on with many that come and go', () => {
    const map = new NumberMap<{ i: number }>();
    for (let i = 0; i < 50_000; i++) {
      map.set(i, { i });
      if (i >= 1000) map.delete(i - 1000);
    }
    expect([...map.values()].map(({ i }) => i).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 1000 }, (_, i) => 49_000 + i),
    );
  });

  test('TextMemo gives what its function gives, also for bytes that fall on the same place', () => {
    const textOf = (bytes: Uint8Array): string => `[${[...bytes].join()}]`;
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 34, max: 2 }), { maxLength: 100 }), (all) => {
        const memo = new TextMemo(2, textOf);
        for (const bytes of [...all, ...all]) expect(memo.of(bytes)).toBe(textOf(bytes));
      }),
    );
  });

  test('TextMemo does not keep the bytes it was given, nor what could not be made', () => {
    const memo = new TextMemo(1, (bytes) => {
      if (bytes[0] === 0) throw new RangeError('no');
      return String(bytes[0]);
    });
    const bytes = Uint8Array.of(1);
    expect(memo.of(bytes)).toBe('1');
    bytes[0] = 2;
    expect(memo.of(bytes)).toBe('2');
    bytes[0] = 0;
    expect(() => memo.of(bytes)).toThrow('no');
    expect(memo.of(Uint8Array.of(2))).toBe('2');
  });
});
