import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Ipv4 } from '../../server/domain/ipv4.js';
import { parseMac } from '../../server/domain/mac.js';
import type { Machine } from '../../server/domain/machine.js';
import { type Attacked, HOSTILE, startAttacked } from '../support/dhcp-attack.js';

/* Packets that are meant to hurt. What each kind costs beside an honest exchange: test/bench/dhcp-hostile.bench.ts. */

const PACKETS = 2000;
const real = Array.from({ length: 10 }, (_, n) => `52:54:00:00:00:${n.toString(16).padStart(2, '0')}`);
const late = '52:54:00:00:00:aa';
const machines: Machine[] = [...real, late].map((mac) => ({
  name: mac.replaceAll(':', ''),
  macs: [parseMac(mac)],
  labels: {},
}));

let site: Attacked;
const taken: Ipv4[] = [];
let sent = 0;

beforeAll(async () => {
  site = await startAttacked(machines);
  for (const mac of real) taken.push((await site.exchange(mac)) ?? expect.fail(`${mac} got no address`));
});
afterAll(() => site.close());

test.each(Object.entries(HOSTILE))(
  '%s: nobody loses an address, and real machines are served',
  async (_what, hostile) => {
    const failedBefore = site.counts().failed;
    // A minute of its own for each kind: the guard's buckets are full again.
    site.core.now += 60_000;
    for (let n = 0; n < PACKETS; n++) site.packet(hostile(sent++, taken));
    await site.settled();
    for (const [index, mac] of real.entries()) expect(await site.exchange(mac)).toBe(taken[index]);
    expect(site.counts().failed).toBe(failedBefore);
    for (const [index, address] of taken.entries()) {
      expect(site.leases.leaseAt(address)).toMatchObject({ mac: real[index], state: 'active' });
    }
  },
);

test('after all of it a registered machine that was off finds an address, and what is kept is bounded', async () => {
  expect(await site.exchange(late)).toBeDefined();
  const { state } = site.core;
  // 5,000 and what came back in the minutes between.
  expect(state.observed.size).toBeLessThan(5000 + 20 * 60 * 20 + machines.length);
  expect(state.sessions.size).toBeLessThanOrEqual(state.observed.size);
  const events = await site.core.store.events({ limit: 100_000 });
  expect(events.length).toBeLessThan(sent / 2);
  const kinds = new Set(events.map(({ kind }) => kind));
  for (const kind of ['dhcp.limited', 'dhcp.malformed', 'dhcp.relay-seen', 'dhcp.server-seen']) {
    expect([...kinds]).toContain(kind);
  }
});
