import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseMac } from '../../server/domain/mac.js';
import { mac, startCore, type TestCore } from '../support/boot-core.js';

const PINNED = parseMac('52:54:00:00:00:0b');
const port = (name: string) => ({ circuitId: Buffer.from(name).toString('hex') });

let core: TestCore;
beforeEach(async () => {
  core = await startCore({
    machines: [
      { name: 'node1', macs: [mac], role: 'web', labels: {} },
      { name: 'pinned', macs: [PINNED], relay: { circuitId: 'port8' }, role: 'web', labels: {} },
    ],
  });
});
afterEach(() => core.close());

const invented = (n: number) => parseMac((0x020000000000 + n).toString(16).padStart(12, '0'));
const facts = (from: typeof mac) => ({ mac: from, client: 'pxe', arch: 7 }) as const;

test('a flood of invented machines leaves the timeline to real ones; what was left out is counted', async () => {
  for (let n = 0; n < 3000; n++) core.step('offer', 'pxe', { mac: invented(n) });
  core.step('discover', 'pxe');
  core.boot.step({ facts: facts(invented(1)), message: 'ignored', text: 'ignored: no reason', data: {} });
  const kinds = await core.kinds();
  expect(kinds.length).toBeLessThan(600);
  expect(kinds).toContain('dhcp.discover');
  core.now += 1000;
  core.step('offer', 'pxe', { mac: invented(1) });
  await core.kinds();
  expect(Number(core.events_.at(-1)?.data.leftOut)).toBeGreaterThan(5000);
});

test('what DHCP sums up itself is told in the middle of a flood', async () => {
  for (let n = 0; n < 1000; n++)
    core.boot.step({ facts: facts(invented(n)), message: 'ignored', text: 'ignored: full', data: {} });
  core.events.record({ source: 'dhcp', kind: 'dhcp.pool-filling', level: 'warning', message: 'fills up', data: {} });
  const kinds = await core.kinds();
  expect(kinds.filter((kind) => kind === 'dhcp.ignored')).toHaveLength(20);
  expect(kinds.at(-1)).toBe('dhcp.pool-filling');
});

test('the MAC of a pinned machine at another port is named as an impostor; at its own port it is the machine', () => {
  expect(core.boot.senderOf({ ...facts(PINNED), relay: port('port9') })).toMatchObject({
    machine: undefined,
    impostorOf: 'pinned',
  });
  expect(core.boot.senderOf({ ...facts(PINNED), relay: port('port9'), renewing: true }).impostorOf).toBe('pinned');
  expect(core.boot.senderOf({ ...facts(PINNED), relay: port('port8') }).machine?.name).toBe('pinned');
  expect(core.boot.senderOf(facts(invented(7)))).not.toHaveProperty('impostorOf');
});
