import { afterEach, describe, expect, test } from 'vitest';
import type { Claim } from '../../server/domain/boot-session.js';
import { parseIpv4 } from '../../server/domain/ipv4.js';
import { parseMac } from '../../server/domain/mac.js';
import type { Machine } from '../../server/domain/machine.js';
import { systemMac } from '../../server/domain/system-mac.js';
import { address, answerValue, lines, mac, startCore, type TestCore } from '../support/boot-core.js';

// More than 300 lines: the life of one spare, whose cases share its clock and its machines.

/* The boot core with a role that has spares, over a real store; the clock of leases is in the test's hand. */

const LEASE = 120;
const SPAN = (LEASE + 30) * 1000;
const spareMac = parseMac('52:54:00:00:00:09');
const otherMac = parseMac('52:54:00:00:00:10');
const machines: readonly Machine[] = [
  { name: 'node1', macs: [mac], address: parseIpv4('10.77.0.11'), role: 'web', labels: { rack: 'r1' } },
  { name: 'node9', macs: [spareMac], labels: { rack: 'r9' } },
  { name: 'node8', macs: [otherMac], labels: { pool: 'spare' } },
];

let core: TestCore;
let time = 0;
afterEach(() => core.close());

async function start(): Promise<void> {
  time = 1000;
  core = await startCore({ machines, monotonic: () => time });
  const web = core.state.roles.get('web');
  if (web === undefined) throw new Error('no role web');
  const spares = { machines: ['node9'], labels: { pool: 'spare' }, leaseSeconds: LEASE };
  await change([{ kind: 'role', action: 'change', name: 'web', fields: ['spares'], value: { ...web, spares } }]);
}

async function change(changes: Parameters<TestCore['state']['applyChanges']>[0]): Promise<void> {
  await core.store.applyDesired(changes, 'test');
  core.state.applyChanges(changes);
  await core.views.desiredChanged(changes, 'test');
}

let claims = 0;
/** A whole boot up to the claim; returns its credential. */
async function boot(
  card: typeof mac,
): Promise<{ readonly claim: Claim; readonly answer: readonly (readonly [string, string | number])[] }> {
  core.dora('pxe', { mac: card });
  core.dora('ipxe', { mac: card });
  const file = await core.boot.resolve(`boot/ipxe/${card.replaceAll(':', '-')}`, { protocol: 'http', address });
  const nonce = /anybios\.nonce=([0-9a-f]+)/.exec(file.kind === 'text' ? file.text : '')?.[1] ?? '';
  const answer = await core.reports.claim(lines({ nonce, 'claim-id': `claim-${++claims}-0000` }), address);
  const claim = await core.claims.authenticate(answerValue(answer, 'credential'));
  await core.reports.report(claim, lines({ stage: 'live', step: 'started', 'uptime-ms': '1' }));
  return { claim, answer };
}

let uptime = 1000;
const beat = async (claim: Claim, lease: string | undefined, at = ++uptime) =>
  core.systems.heartbeat(claim, lines({ 'uptime-ms': String(at), ...(lease === undefined ? {} : { lease }) }));
const seconds = async (claim: Claim, lease: string | undefined, at?: number): Promise<string> =>
  answerValue(await beat(claim, lease, at), 'lease-seconds');
const namesOf = (claim: Claim): readonly string[] =>
  core.definitions.list(claim).map(([, text]) => String(text).split(' ')[0] ?? '');

/** The server looks all the time: one that stood still would have heard nobody. */
async function pass(ms: number): Promise<void> {
  for (const end = time + ms; time < end; ) {
    time = Math.min(end, time + 2000);
    await core.standby.check();
  }
}
const holder = (): string => core.standby.view('node1')?.holder ?? 'nobody';

describe('a lost machine', () => {
  test('loses its role to the first fit spare, when the lease and its margin are over and not before', async () => {
    await start();
    const { claim: one, answer } = await boot(mac);
    expect(answerValue(answer, 'lease-seconds')).toBe('120');
    const { claim: nine } = await boot(spareMac);
    expect(await beat(one, 'none')).toContainEqual(['lease-address', '10.77.0.11/24']);
    expect(await seconds(nine, 'none')).toBe('0');
    await pass(SPAN - 1);
    await beat(nine, 'none');
    await core.standby.check();
    expect(holder()).toBe('node1');
    await pass(1);
    await core.standby.check();
    expect(holder()).toBe('node9');
    expect(await beat(nine, 'none')).toEqual(
      expect.arrayContaining([
        ['lease-seconds', 120],
        ['lease-address', '10.77.0.11/24'],
      ]),
    );
    expect(await core.kinds()).toContain('role.taken-over');
  });

  test('gives identity with its role: names, labels, address and MACs of the systems', async () => {
    await start();
    await boot(mac);
    const { claim: nine } = await boot(spareMac);
    await beat(nine, 'none');
    await pass(SPAN);
    await beat(nine, 'none');
    await core.standby.check();
    expect(namesOf(nine)).toEqual(['web', 'db']);
    expect(core.definitions.systemFiles(nine, 'web')[0]?.text).toBe('this is node1 with web\n');
    const plan = core.views.explain('node9').lines;
    expect(plan).toContainEqual(expect.objectContaining({ what: 'role', value: 'web of node1, held by node9' }));
    expect(core.state.machines.get('node9')?.standsFor).toEqual({
      name: 'node1',
      labels: { rack: 'r1' },
      address: parseIpv4('10.77.0.11'),
    });
    // Nobody but the machine that holds the role is given the address, its owner neither.
    expect(core.state.machineByAddress(parseIpv4('10.77.0.11'))?.name).toBe('node9');
    expect(core.state.machines.get('node1')?.address).toBeUndefined();
    expect(systemMac('node1', 'web')).not.toBe(systemMac('node9', 'web'));
  });

  test('that comes back runs nothing and waits as a spare; the site file has not changed', async () => {
    await start();
    const { claim: one } = await boot(mac);
    const { claim: nine } = await boot(spareMac);
    await beat(one, 'none');
    await pass(SPAN);
    await beat(nine, 'none');
    await core.standby.check();
    expect(await seconds(one, 'none')).toBe('0');
    expect(namesOf(one)).toEqual([]);
    expect(core.state.written.get('node1')?.role).toBe('web');
    expect(core.state.machines.get('node1')).toMatchObject({ standby: 'web' });
    expect((await core.kinds()).filter((kind) => kind === 'machine.returned')).toHaveLength(1);
    await beat(one, 'none');
    expect((await core.kinds()).filter((kind) => kind === 'machine.returned')).toHaveLength(1);
    // It is the next to take over, also from the one that has its role.
    await beat(nine, 'held');
    await pass(SPAN);
    await beat(one, 'none');
    await core.standby.check();
    expect(holder()).toBe('node1');
  });

  test('keeps its role when it boots again in time', async () => {
    await start();
    const { claim: one } = await boot(mac);
    await beat(one, 'held');
    const { claim: nine } = await boot(spareMac);
    await pass(SPAN - 1000);
    await boot(mac);
    await pass(2000);
    await beat(nine, 'none');
    await core.standby.check();
    expect(holder()).toBe('node1');
  });

  test('that never kept a lease is not counted out by silence, only by the word of a person', async () => {
    await start();
    const { claim: one } = await boot(mac);
    const { claim: nine } = await boot(spareMac);
    // An old live OS, which knows nothing of leases.
    expect(await seconds(one, undefined)).toBe('120');
    await pass(10 * SPAN);
    await beat(nine, 'none');
    await core.standby.check();
    expect(holder()).toBe('node1');
    await core.views.confirmOff('node1', 'admin');
    expect(holder()).toBe('node9');
    expect(await core.kinds()).toContain('machine.confirmed-off');
  });

  test('without a fit spare keeps its place, with the reasons said once', async () => {
    await start();
    const { claim: one } = await boot(mac);
    await beat(one, 'held');
    await pass(SPAN);
    await core.standby.check();
    await core.standby.check();
    expect(holder()).toBe('node1');
    await core.kinds();
    expect(core.events_.filter(({ kind }) => kind === 'role.no-spare')).toHaveLength(1);
    expect(core.events_.find(({ kind }) => kind === 'role.no-spare')?.message).toContain(
      'node9 is not up; node8 is not up',
    );
  });
});

describe('a restart of the server', () => {
  const again = async (): Promise<void> => {
    core = await core.restart();
  };

  test('shortens no lease, and forgets neither who holds what nor how long a lease may be', async () => {
    await start();
    const { claim: one } = await boot(mac);
    await boot(spareMac);
    await beat(one, 'held');
    await pass(SPAN - 10);
    await again();
    const nine = await booted('node9');
    await pass(SPAN - 1);
    await beat(nine, 'none');
    await core.standby.check();
    expect(holder()).toBe('node1');
    await pass(1);
    await beat(nine, 'none');
    await core.standby.check();
    expect(holder()).toBe('node9');
    await again();
    expect(holder()).toBe('node9');
    expect(core.state.machines.get('node1')).toMatchObject({ standby: 'web' });
    expect(core.state.machines.get('node9')).toMatchObject({ role: 'web', standsFor: { name: 'node1' } });
  });

  test('a server that stood still has heard nobody, and takes nothing away', async () => {
    await start();
    const { claim: one } = await boot(mac);
    const { claim: nine } = await boot(spareMac);
    await beat(one, 'held');
    await core.standby.check();
    time += 10 * SPAN;
    await beat(nine, 'none');
    await core.standby.check();
    expect(holder()).toBe('node1');
  });

  /** What the machine goes on with: its credential is in the store. */
  async function booted(name: string): Promise<Claim> {
    const { claims } = await core.store.load();
    const found = claims.find(({ machine }) => machine === name);
    if (found === undefined) throw new Error(`no claim of ${name}`);
    return found;
  }
});

describe('handing over', () => {
  test('first the lease ends, then the other one has it; back again without saying to whom', async () => {
    await start();
    const { claim: one } = await boot(mac);
    const { claim: nine } = await boot(spareMac);
    await beat(one, 'held');
    await beat(nine, 'none');
    await core.views.handOver('node1', undefined, 'admin');
    expect(await seconds(nine, 'none')).toBe('0');
    expect(await seconds(one, 'held')).toBe('0');
    await core.standby.check();
    expect(holder()).toBe('node1');
    // Sent before the lease was taken away, and late: it says nothing.
    await beat(one, 'none', 1);
    await core.standby.check();
    expect(holder()).toBe('node1');
    await beat(one, 'none');
    await core.standby.check();
    expect(holder()).toBe('node9');
    expect(await seconds(nine, 'none')).toBe('120');
    expect(await seconds(one, 'none')).toBe('0');
    await core.views.handOver('node9', undefined, 'admin');
    await beat(nine, 'none');
    await core.standby.check();
    expect(holder()).toBe('node1');
    expect(await seconds(one, 'none')).toBe('120');
  });

  const REFUSED: Readonly<Record<string, readonly [name: string, to: string | undefined, reason: string]>> = {
    'from one that holds nothing': ['node9', undefined, 'holds no role'],
    'to one that is not up': ['node1', 'node8', 'node8 is not up'],
    'to one that is no spare': ['node1', 'node7', 'is no spare of role web'],
    'of a machine that is not there': ['node77', undefined, 'there is no machine'],
  };
  test.each(Object.entries(REFUSED))('%s is refused', async (_name, [name, to, reason]) => {
    await start();
    const { claim: one } = await boot(mac);
    const { claim: nine } = await boot(spareMac);
    await beat(one, 'held');
    await beat(nine, 'none');
    await expect(core.views.handOver(name, to, 'admin')).rejects.toThrow(reason);
    expect(holder()).toBe('node1');
  });
});

describe('off', () => {
  test('is refused while the machine is heard, and taken back when it is heard again', async () => {
    await start();
    const { claim: one } = await boot(mac);
    const system = ['web running 0', 'db running 0'];
    await core.systems.heartbeat(one, lines({ 'uptime-ms': '5', lease: 'held', system }));
    await expect(core.views.confirmOff('node1', 'admin')).rejects.toThrow('was heard');
    await pass(40_000);
    await core.views.confirmOff('node1', 'admin');
    expect(core.views.machineView('node1')?.status).toBe('off');
    await beat(one, 'held');
    const { claim: nine } = await boot(spareMac);
    await beat(nine, 'none');
    await core.standby.check();
    expect(holder()).toBe('node1');
    expect(await core.kinds()).toContain('machine.not-off');
    core = await core.restart();
    await core.standby.check();
    expect(holder()).toBe('node1');
  });
});

describe('the site file', () => {
  describe('off by a job', () => {
    test('the role goes to the spare at once: nobody waits for a lease of a machine that is off', async () => {
      await start();
      const { claim: one } = await boot(mac);
      const { claim: nine } = await boot(spareMac);
      expect(await seconds(one, 'held')).toBe('120');
      await beat(nine, 'none');
      await core.standby.check();
      expect(holder()).toBe('node1');
      await core.standby.switchedOff('node1');
      await core.standby.check();
      expect(holder()).toBe('node9');
      expect(core.state.holdings.get('node1')?.why).toBe('node1 is switched off');
      expect(await seconds(nine, 'none')).toBe('120');
      // It was not off after all: it is told to run nothing, and stops what it runs.
      expect(await seconds(one, 'held')).toBe('0');
    });

    test('is known after a restart of the server, and forgotten when the machine is heard', async () => {
      await start();
      const { claim: one } = await boot(mac);
      await beat(one, 'held');
      await core.standby.switchedOff('node1');
      expect((await core.store.load()).roleLeases).toEqual([expect.objectContaining({ machine: 'node1', off: true })]);
      await beat(one, 'held');
      expect((await core.store.load()).roleLeases).toEqual([expect.objectContaining({ machine: 'node1', off: false })]);
      expect(await core.kinds()).toContain('machine.not-off');
    });
  });

  describe('while a job moves the role with its data', () => {
    test('its machine runs nothing, no spare takes it, and all is as before when that is over', async () => {
      await start();
      const { claim: one } = await boot(mac);
      const { claim: nine } = await boot(spareMac);
      const { claim: eight } = await boot(otherMac);
      expect(await seconds(one, 'held')).toBe('120');
      core.state.setMoving('node1', 'node9');
      expect(namesOf(one)).toEqual([]);
      expect(await seconds(one, 'held')).toBe('0');
      expect(core.state.machines.get('node1')).toEqual({
        name: 'node1',
        macs: [mac],
        address: parseIpv4('10.77.0.11'),
        labels: { rack: 'r1' },
        standby: 'web',
      });
      expect(namesOf(nine)).toEqual([]);
      // Its lease is over, and it is not heard: the copy is what counts.
      await pass(2 * SPAN);
      await beat(nine, 'none');
      await beat(eight, 'none');
      await core.standby.check();
      expect(holder()).toBe('node1');
      expect(core.standby.view('node1')?.spares).toEqual([
        { name: 'node9', unfit: 'is part of a move' },
        { name: 'node8' },
      ]);
      await expect(core.views.handOver('node1', 'node8', 'me')).rejects.toThrow('node1 holds no role');
      await beat(one, 'none');
      core.state.setMoving('node1', undefined);
      await core.standby.check();
      expect(holder()).toBe('node1');
      expect(namesOf(one)).toEqual(['web', 'db']);
      expect(await seconds(one, 'none')).toBe('120');
    });
  });

  test('a machine that stands in is not given another role, nor removed, unless its place goes too', async () => {
    await start();
    const { claim: one } = await boot(mac);
    const { claim: nine } = await boot(spareMac);
    await beat(one, 'held');
    await pass(SPAN);
    await beat(nine, 'none');
    await core.standby.check();
    const itself = { name: 'node9', macs: [spareMac], labels: {} };
    const wanted = {
      kind: 'machine',
      action: 'change',
      name: 'node9',
      fields: ['role'],
      value: { ...itself, role: 'web' },
    } as const;
    const resulting = (changed: readonly Machine[]) => ({
      machines: machines.map((machine) => changed.find(({ name }) => name === machine.name) ?? machine),
      roles: [],
      systems: [],
    });
    expect(() => core.views.refuseChanges([wanted], resulting([wanted.value]))).toThrow(
      'node9 holds the role of node1',
    );
    const gone = { name: 'node1', macs: [mac], labels: {} };
    const both = [wanted, { kind: 'machine', action: 'change', name: 'node1', fields: ['role'], value: gone } as const];
    core.views.refuseChanges(both, resulting([wanted.value, gone]));
    await change(both);
    expect(core.state.holdings.size).toBe(0);
    expect(core.state.machines.get('node9')).toMatchObject({ role: 'web' });
    expect(await seconds(nine, 'held')).toBe('120');
  });

  test('a role without spares is run without a lease', async () => {
    await start();
    const { claim: one } = await boot(mac);
    await beat(one, 'held');
    const { spares: _, ...web } = core.state.roles.get('web') ?? { spares: undefined };
    if (!('name' in web)) throw new Error('no role');
    await change([{ kind: 'role', action: 'change', name: 'web', fields: ['spares'], value: web }]);
    expect(await beat(one, 'held')).toEqual([['action', 'none']]);
    // And nobody believes any more that it would stop by itself.
    expect((await core.store.load()).roleLeases).toEqual([]);
  });
});
