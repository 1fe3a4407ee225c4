import { describe, expect, it } from 'vitest';
import { systemMac } from '../../server/domain/system-mac.js';

describe('the MAC of a system', () => {
  // Written down: a change would give every system another address.
  it.each<[string, string, string]>([
    ['node1', 'web', '02:d2:44:1c:a9:5d'],
    ['node1', 'db', '02:bc:37:78:dd:9e'],
    ['node2', 'web', '02:a4:b3:8f:3c:f9'],
  ])('of %s/%s stays what it is', (machine, system, expected) => {
    expect(systemMac(machine, system)).toBe(expected);
  });

  it('is locally administered and one card’s, and 10,000 systems get 10,000', () => {
    const macs = new Set<string>();
    for (let machine = 0; machine < 100; machine += 1) {
      for (let system = 0; system < 100; system += 1) macs.add(systemMac(`node${machine}`, `s${system}`));
    }
    expect(macs.size).toBe(10_000);
    for (const mac of macs) expect(mac).toMatch(/^02(:[0-9a-f]{2}){5}$/);
  });
});
