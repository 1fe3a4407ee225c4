import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Ipv4 } from '../../server/domain/ipv4.js';
import { type Mac, macFromBytes } from '../../server/domain/mac.js';
import { AddressesByMac } from '../../server/state/addresses-by-mac.js';

const macOf = (upper: number, lower: number): Mac => {
  const bytes = Buffer.alloc(6);
  bytes.writeUIntBE(upper, 0, 3);
  bytes.writeUIntBE(lower, 3, 3);
  return macFromBytes(bytes) ?? expect.fail('no MAC');
};
const sorted = (addresses: Iterable<Ipv4>): Ipv4[] => [...addresses].sort((a, b) => a - b);

class Model {
  readonly #pairs = new Map<Mac, Set<Ipv4>>();
  of = (mac: Mac): Ipv4[] => sorted(this.#pairs.get(mac) ?? []);
  add(mac: Mac, address: Ipv4): void {
    this.#pairs.set(mac, (this.#pairs.get(mac) ?? new Set()).add(address));
  }
  remove(mac: Mac, address: Ipv4): void {
    this.#pairs.get(mac)?.delete(address);
  }
}

describe('AddressesByMac', () => {
  const step = fc.record({
    mac: fc
      .tuple(fc.constantFrom(0x525400, 0, 0xffffff), fc.oneof(fc.nat(40), fc.nat(0xffffff)))
      .map(([upper, lower]) => macOf(upper, lower)),
    address: fc.nat(3) as fc.Arbitrary<number> as fc.Arbitrary<Ipv4>,
    add: fc.boolean(),
  });

  test('is a set of pairs', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const index = new AddressesByMac();
        const model = new Model();
        for (const { mac, address, add } of steps) {
          if (add) {
            index.add(mac, address);
            model.add(mac, address);
          } else {
            index.remove(mac, address);
            model.remove(mac, address);
          }
          expect(sorted(index.of(mac))).toEqual(model.of(mac));
        }
        for (const { mac } of steps) expect(sorted(index.of(mac))).toEqual(model.of(mac));
      }),
    );
  });

  // The parts grow, and what lies in a row without a gap is moved when one of it goes.
  test.each([1, 2, 256, 4096])('holds a rack and more, with MACs %i apart', (apart) => {
    const index = new AddressesByMac();
    const all = Array.from({ length: 40_000 }, (_, i) => ({
      mac: macOf(i % 3, (i * apart) & 0xffffff),
      address: (i + 1) as Ipv4,
    }));
    const model = new Model();
    for (const { mac, address } of all) {
      index.add(mac, address);
      model.add(mac, address);
    }
    all.forEach(({ mac, address }, i) => {
      if (i % 2 === 1) return;
      index.remove(mac, address);
      model.remove(mac, address);
    });
    const wrong = all.filter(({ mac }) => sorted(index.of(mac)).join() !== model.of(mac).join());
    expect(wrong).toEqual([]);
  });

  test('what was given is not changed by what comes later', () => {
    const index = new AddressesByMac();
    const mac = macOf(1, 2);
    index.add(mac, 1 as Ipv4);
    const before = index.of(mac);
    index.add(mac, 2 as Ipv4);
    index.remove(mac, 1 as Ipv4);
    expect(before).toEqual([1]);
  });
});
