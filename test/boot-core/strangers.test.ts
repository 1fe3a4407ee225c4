import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MOST_STRANGERS } from '../../server/boot/observations.js';
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

describe('unknownMachines: discover', () => {
  let discovering: TestCore;
  beforeEach(async () => {
    discovering = await startCore({ unknown: { kind: 'discover' } });
  });
  afterEach(() => discovering.close());

  const open = (n: number): boolean => {
    discovering.step('discover', 'pxe', { mac: invented(n) });
    return discovering.sessions.openOf(invented(n)) !== undefined;
  };
  const told = () =>
    discovering.events_.filter(({ kind }) => kind === 'dhcp.limited').map(({ message, data }) => [message, data.count]);

  test('5,000 invented machines open a boot at once, then 20 a second; the rest is counted, and real ones boot', async () => {
    let opened = 0;
    for (let n = 0; n < 8000; n++) if (open(n)) opened++;
    expect(opened).toBe(5000);
    expect(discovering.state.sessions.size).toBe(5000);
    expect(discovering.state.observed.size).toBe(5000);
    discovering.dora('pxe');
    expect(discovering.sessions.openOf('node1')).toMatchObject({ outcome: 'running' });
    // Those that are listed already go on.
    discovering.dora('pxe', { mac: invented(17) });
    expect(discovering.sessions.openOf(invented(17))?.address).toBeDefined();

    discovering.now += 10_000;
    for (let n = 8000; n < 9000; n++) if (open(n)) opened++;
    expect(opened).toBe(5200);
    await discovering.kinds();
    expect(told()).toEqual([
      [expect.stringMatching(/^a packet of a new machine left out, neither listed nor booted: more than 5000/), 1],
      [expect.stringMatching(/^3000 packets of new machines left out/), 3000],
    ]);
  });

  test('the machines that were silent longest are forgotten with their boots and nonces, in the store too', async () => {
    const first = invented(0);
    discovering.dora('pxe', { mac: first });
    const session = discovering.sessions.of(first);
    if (session === undefined) throw new Error('no session');
    const nonce = await discovering.claims.nonceFor(session);
    for (let n = 1; n <= MOST_STRANGERS; n++) {
      discovering.now += 50;
      expect(open(n)).toBe(true);
    }
    await discovering.events.flush();
    expect(discovering.state.observed.size).toBe(MOST_STRANGERS);
    expect(discovering.sessions.of(first)).toBeUndefined();
    expect(await discovering.store.session(session.id)).toBeUndefined();
    expect(await discovering.store.sessions({ key: first, limit: 10 })).toEqual([]);
    expect(await discovering.claims.claim(nonce ?? '', 'claim-1')).toMatchObject({ kind: 'refused' });
    expect((await discovering.store.sessions({ limit: 30_000 })).length).toBe(MOST_STRANGERS);
  });
});
