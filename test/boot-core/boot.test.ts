import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MOST_STRANGERS } from '../../server/boot/observations.js';
import { randomIds } from '../../server/boot/random-ids.js';
import { NONCE_DIGITS, SESSION_DIGITS } from '../../server/decide/command-line.js';
import { parseIpv4 } from '../../server/domain/ipv4.js';
import { parseMac } from '../../server/domain/mac.js';
import type { Machine } from '../../server/domain/machine.js';
import {
  address,
  answerValue,
  elsewhere,
  lines,
  mac,
  machine,
  startCore,
  strangerMac,
  type TestCore,
} from '../support/boot-core.js';

// More than 300 lines: the boot core from outside: each `describe` tells one promise as whole boots of one rig.

let core: TestCore;
beforeEach(async () => {
  core = await startCore();
});
afterEach(async () => await core.close());

const http = { protocol: 'http', address } as const;
async function script(from = address, whose = '52-54-00-00-00-01'): Promise<string> {
  const file = await core.boot.resolve(`boot/ipxe/${whose}`, { protocol: 'http', address: from });
  return file.kind === 'text' ? file.text : `${file.kind}`;
}
const nonceOf = (text: string): string => /anybios\.nonce=([0-9a-f]+)/.exec(text)?.[1] ?? '';
async function claimed(id = 'claim-id-1'): Promise<string> {
  core.dora('pxe');
  core.dora('ipxe');
  const answer = await core.reports.claim(
    lines({ nonce: nonceOf(await script()), 'claim-id': id, secureboot: 'none' }),
    address,
  );
  return answerValue(answer, 'credential');
}

describe('a whole boot, from the first DISCOVER to all systems running', () => {
  test('stages, events and outcome', async () => {
    core.dora('pxe');
    core.boot.transfer({
      requester: { protocol: 'tftp', address },
      name: 'undionly.kpxe',
      phase: 'sent',
      bytes: 1,
      total: 1,
      milliseconds: 1,
    });
    core.dora('ipxe');
    const text = await script();
    core.boot.transfer({
      requester: http,
      name: `/images/sha256/${'a'.repeat(64)}/vmlinuz`,
      phase: 'sent',
      bytes: 1000,
      total: 1000,
      milliseconds: 1,
    });
    const answer = await core.reports.claim(
      lines({ nonce: nonceOf(text), 'claim-id': 'claim-id-1', secureboot: 'off' }),
      address,
    );
    expect(answer.filter(([key]) => key === 'system').map(([, value]) => value)).toEqual(['web', 'db']);
    const claim = await core.claims.authenticate(answerValue(answer, 'credential'));
    await core.reports.report(
      claim,
      lines({ stage: 'rootfs', step: 'fetching', file: 'rootfs.squashfs', bytes: '500', total: '1000' }),
    );
    expect(core.sessions.of('node1')?.progress).toEqual({ file: 'rootfs.squashfs', bytes: 500, total: 1000 });
    await core.reports.report(claim, lines({ stage: 'rootfs', step: 'verified' }));
    await core.reports.report(claim, lines({ stage: 'live', step: 'started' }));
    await core.reports.report(claim, lines({ stage: 'systems', step: 'state', system: 'web', state: 'running' }));
    expect(core.views.machineView('node1')).toMatchObject({
      status: 'booting',
      systems: [
        { name: 'web', state: 'running' },
        { name: 'db', state: 'stopped' },
      ],
    });
    await core.reports.report(claim, lines({ stage: 'systems', step: 'state', system: 'db', state: 'running' }));
    expect(core.views.machineView('node1')).toMatchObject({
      status: 'up',
      session: { outcome: 'succeeded', stage: 'systems' },
    });
    expect(Object.keys(core.sessions.of('node1')?.stages ?? {})).toEqual([
      'dhcp',
      'loader',
      'script',
      'kernel',
      'stage1',
      'rootfs',
      'live',
      'systems',
    ]);
    expect(await core.kinds()).toContain('boot.succeeded');
    expect(core.state.observed.get('node1')?.secureBoot).toBe('off');
  });

  test('single mode: handed over, unmanaged, the credential is dropped', async () => {
    core.state.machines.get('node1');
    core.state.applyChanges([
      {
        kind: 'machine',
        action: 'change',
        name: 'node1',
        fields: ['role'],
        value: { name: 'node1', macs: [mac], role: 'one', labels: {} },
      },
    ]);
    const credential = await claimed();
    const claim = await core.claims.authenticate(credential);
    await core.reports.report(claim, lines({ stage: 'systems', step: 'handed-over', system: 'web' }));
    expect(core.views.machineView('node1')).toMatchObject({
      status: 'unmanaged',
      systems: [{ name: 'web', state: 'handed-over' }],
      session: { outcome: 'succeeded' },
    });
    await expect(core.claims.authenticate(credential)).rejects.toThrow('unknown credential');
  });

  test('a system that fails names the boot’s diagnosis; running after all ends it well', async () => {
    const claim = await core.claims.authenticate(await claimed());
    await core.reports.report(claim, lines({ stage: 'live', step: 'started' }));
    await core.reports.report(
      claim,
      lines({ stage: 'systems', step: 'state', system: 'web', state: 'failed', message: 'no such program' }),
    );
    expect(core.sessions.of('node1')).toMatchObject({
      outcome: 'failed',
      diagnosis: { name: 'system-failed', message: 'system web failed: no such program' },
    });
    for (const name of ['web', 'db'])
      await core.reports.report(claim, lines({ stage: 'systems', step: 'state', system: name, state: 'running' }));
    expect(core.sessions.of('node1')).toMatchObject({ outcome: 'succeeded' });
    expect(core.sessions.of('node1')?.diagnosis).toBeUndefined();
  });

  test('a wrong digest has its own name', async () => {
    const claim = await core.claims.authenticate(await claimed());
    await core.reports.report(
      claim,
      lines({ stage: 'rootfs', step: 'failed', message: 'sha256 of rootfs.squashfs is 00, expected dd' }),
    );
    expect(core.sessions.of('node1')).toMatchObject({ outcome: 'failed', diagnosis: { name: 'digest-mismatch' } });
  });
});

describe('what a machine reports is checked before it is kept', () => {
  test.each([
    [{ stage: 'stage1', step: 'x\u001b[31m' }, 'step is not a word'],
    [{ stage: 'live', step: 'a'.repeat(64) }, 'step is not a word'],
    [{ stage: 'rootfs', step: 'fetching', bytes: '1e999', total: '5' }, '"1e999" is not a whole number'],
    [{ stage: 'rootfs', step: 'fetching', bytes: '1', total: '-5' }, '"-5" is not a whole number'],
    [{ stage: 'systems', step: 'state', system: '../x', state: 'running' }, 'system is not a word'],
    [{ stage: 'systems', step: 'state', system: 'web', state: 'running', restarts: 'NaN' }, 'is not a whole number'],
  ])('report %j', async (body, message) => {
    const claim = await core.claims.authenticate(await claimed());
    await expect(core.reports.report(claim, lines(body))).rejects.toThrow(message);
    expect(core.state.observed.get('node1')?.systems).toEqual([]);
  });

  test.each([
    ['web running 1e999', '"1e999" is not a whole number'],
    ['<b> running 0', 'a name of a system does not fit'],
  ])('heartbeat with system=%s', async (system, message) => {
    const claim = await core.claims.authenticate(await claimed());
    await expect(core.systems.heartbeat(claim, lines({ system }))).rejects.toThrow(message);
    const many = Array.from({ length: 65 }, (_, i) => `s${i} running 0`);
    await expect(core.systems.heartbeat(claim, lines({ system: many }))).rejects.toThrow('65 systems are too many');
  });

  test('a long message is cut for the event', async () => {
    const claim = await core.claims.authenticate(await claimed());
    await core.reports.report(claim, lines({ stage: 'live', step: 'failed', message: 'x'.repeat(60_000) }));
    expect(core.sessions.of('node1')?.diagnosis?.message).toHaveLength(4096);
  });
});

describe('secrets', () => {
  test('the same nonce for each rendering, none for anybody else, none after the claim', async () => {
    core.dora('pxe');
    core.dora('ipxe');
    const first = nonceOf(await script());
    expect(first).toHaveLength(NONCE_DIGITS);
    expect(randomIds()()).toHaveLength(SESSION_DIGITS);
    expect(first).toMatch(/^[0-9a-f]{48}$/);
    expect(nonceOf(await script())).toBe(first);
    expect(nonceOf(await script(elsewhere))).toBe('');
    expect(await core.kinds()).toContain('http.script-without-nonce');
    await core.reports.claim(lines({ nonce: first, 'claim-id': 'claim-id-1' }), address);
    expect(nonceOf(await script())).toBe('');
  });

  test('no lease in this boot, no nonce', async () => {
    core.step('discover', 'pxe');
    expect(nonceOf(await script())).toBe('');
  });

  test('a lost answer: the same claim-id gets the same credential until its first use', async () => {
    const credential = await claimed();
    const nonce = core.state.sessions.get('node1');
    expect(nonce?.claimedAt).toBeDefined();
    core.step('discover', 'ipxe');
    await core.claims.authenticate(credential);
  });

  test('claims: repeated, stolen, used, expired, unknown', async () => {
    core.dora('pxe');
    const nonce = nonceOf(await script());
    const claim = (id: string) =>
      core.reports.claim(lines({ nonce, 'claim-id': id }), address).then((answer) => answerValue(answer, 'credential'));
    const [first, second] = await Promise.all([claim('claim-id-1'), claim('claim-id-1')]);
    expect(second).toBe(first);
    await expect(claim('claim-id-2')).rejects.toThrow('nonce already claimed by another claim-id');
    expect(await core.kinds()).toContain('claim.refused');
    await core.claims.authenticate(first ?? '');
    await expect(claim('claim-id-1')).rejects.toThrow('credential in use');
    await expect(
      core.reports.claim(lines({ nonce: 'f'.repeat(48), 'claim-id': 'claim-id-1' }), address),
    ).rejects.toThrow('unknown nonce');
  });

  test('two claims with different ids at once: one wins', async () => {
    core.dora('pxe');
    const nonce = nonceOf(await script());
    const results = await Promise.allSettled(
      ['aaaaaaaa', 'bbbbbbbb', 'cccccccc'].map((id) => core.reports.claim(lines({ nonce, 'claim-id': id }), address)),
    );
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
  });

  test('a nonce expires minutes after its last rendering', async () => {
    core.dora('pxe');
    const nonce = nonceOf(await script());
    core.now += 9 * 60_000;
    await script();
    core.now += 9 * 60_000;
    await core.claims.claim(nonce, 'claim-id-1').then((result) => expect(result.kind).toBe('granted'));
    core.step('discover', 'pxe');
    core.dora('pxe');
    const later = nonceOf(await script());
    core.now += 11 * 60_000;
    await core.claims
      .claim(later, 'claim-id-1')
      .then((result) => expect(result).toMatchObject({ kind: 'refused', reason: 'nonce expired, boot again' }));
  });

  test('a DISCOVER revokes nothing; the next claim does', async () => {
    const old = await claimed('claim-id-1');
    const claim = await core.claims.authenticate(old);
    core.dora('pxe');
    await core.systems.heartbeat(claim, lines({ system: ['web running 0', 'db running 0'] }));
    await core.reports.report(claim, lines({ stage: 'systems', step: 'state', system: 'web', state: 'running' }));
    expect(core.definitions.system(claim, 'web').length).toBeGreaterThan(5);
    const answer = await core.reports.claim(
      lines({ nonce: nonceOf(await script()), 'claim-id': 'claim-id-2' }),
      address,
    );
    await expect(core.claims.authenticate(old)).rejects.toThrow('unknown credential');
    await core.claims.authenticate(answerValue(answer, 'credential'));
  });

  test('a DISCOVER between script and claim, by whomever, does not spoil the boot', async () => {
    core.dora('pxe');
    const nonce = nonceOf(await script());
    const { id } = core.sessions.of('node1') ?? {};
    for (let i = 0; i < 3; i++) core.step('discover', 'pxe');
    expect(core.sessions.of('node1')?.id).not.toBe(id);
    const answer = await core.reports.claim(lines({ nonce, 'claim-id': 'claim-id-1' }), address);
    expect(core.sessions.of('node1')).toMatchObject({ id, stage: 'stage1', outcome: 'running' });
    const claim = await core.claims.authenticate(answerValue(answer, 'credential'));
    await core.reports.report(claim, lines({ stage: 'live', step: 'started' }));
    expect(core.sessions.openOf('node1')).toMatchObject({ id, stage: 'live' });
  });

  test('a boot that was replaced twice cannot be claimed, and the try revokes nothing', async () => {
    const running = await claimed('claim-id-1');
    core.dora('pxe');
    const old = nonceOf(await script());
    core.dora('pxe');
    await script();
    core.dora('pxe');
    const claim = core.reports.claim(lines({ nonce: old, 'claim-id': 'claim-id-2' }), address);
    await expect(claim).rejects.toThrow('this boot was replaced by a newer one');
    await core.claims.authenticate(running);
  });

  test('an address that another NIC got with the same UUID gets no nonce', async () => {
    const uuid = '00000000-0000-0000-0000-000000000001';
    core.state.applyChanges([
      {
        kind: 'machine',
        action: 'change',
        name: 'node1',
        fields: ['uuid'],
        value: { name: 'node1', macs: [mac], uuid, role: 'web', labels: {} },
      },
    ]);
    core.step('discover', 'pxe');
    core.dora('pxe', { mac: strangerMac, uuid });
    expect(nonceOf(await script())).toBe('');
    expect(nonceOf(await script(address, '52-54-00-00-00-99'))).toBe('');
    core.dora('ipxe');
    expect(nonceOf(await script())).not.toBe('');
  });

  test('claims and nonces survive a restart of the server', async () => {
    core.dora('pxe');
    const nonce = nonceOf(await script());
    core = await core.restart();
    expect(nonceOf(await script())).toBe(nonce);
    const credential = answerValue(
      await core.reports.claim(lines({ nonce, 'claim-id': 'claim-id-1' }), address),
      'credential',
    );
    core = await core.restart();
    const claim = await core.claims.authenticate(credential);
    await core.reports.report(claim, lines({ stage: 'live', step: 'started' }));
    expect(core.sessions.of('node1')).toMatchObject({ stage: 'live', outcome: 'running' });
  });
});

describe('unknown machines', () => {
  const stranger = { mac: strangerMac };
  const rows = {
    localdisk: { kind: 'localdisk' },
    ignore: { kind: 'ignore' },
    discover: { kind: 'discover' },
    role: { kind: 'role', role: 'web' },
  } as const;
  test.each(['localdisk', 'ignore'] as const)('%s: no boot file, no session', async (policy) => {
    await core.close();
    core = await startCore({ unknown: rows[policy] });
    core.dora('pxe', stranger);
    expect(core.boot.bootOffer({ mac: strangerMac, client: 'pxe', arch: 0 }, { mode: 'full' }).kind).toBe('none');
    expect(core.sessions.of(strangerMac)).toBeUndefined();
    expect([...core.views.machineKeys()].includes(strangerMac)).toBe(policy === 'localdisk');
  });

  test('discover: waits with its facts, approval reboots it into its role', async () => {
    await core.close();
    core = await startCore({ unknown: rows.discover });
    core.dora('pxe', stranger);
    const text = await script(address, '52-54-00-00-00-99');
    const answer = await core.reports.claim(lines({ nonce: nonceOf(text), 'claim-id': 'claim-id-1' }), address);
    expect(answerValue(answer, 'mode')).toBe('discover');
    expect(answerValue(answer, 'rootfs')).toBe('');
    const claim = await core.claims.authenticate(answerValue(answer, 'credential'));
    core.reports.inventory(claim, lines({ product: 'Standard PC', cpus: '2' }));
    expect(core.views.machineView(strangerMac)).toMatchObject({
      status: 'waiting',
      observed: { inventory: { product: 'Standard PC' } },
    });
    expect(core.reports.next(claim)).toEqual([
      ['action', 'wait'],
      ['seconds', 5],
    ]);
    const change = {
      kind: 'machine',
      action: 'add',
      name: 'node9',
      fields: [],
      value: { name: 'node9', macs: [strangerMac], role: 'web', labels: {} },
    } as const;
    await core.store.applyDesired([change], 'admin');
    core.state.applyChanges([change]);
    core.now += 10;
    await core.views.desiredChanged([change], 'admin');
    expect(core.reports.next(claim)).toEqual([['action', 'reboot']]);
    expect(core.views.machineView('node9')).toMatchObject({ status: 'approved' });
    expect(core.views.machineView(strangerMac)).toBeUndefined();
    core.now += 10;
    core.dora('pxe', stranger);
    expect(core.views.machineView('node9')?.status).toBe('booting');
  });

  test('role:NAME: boots as that role without being a machine', async () => {
    await core.close();
    core = await startCore({ unknown: rows.role });
    core.dora('pxe', stranger);
    expect(await script(address, '52-54-00-00-00-99')).toMatch(/chroot=\/systems\/web,\/systems\/db/);
  });
});

describe('a machine that is told by its port', () => {
  const relay = { circuitId: '7037' };
  const pinned: Machine = { name: 'node1', macs: [], relay: { circuitId: 'p7' }, role: 'web', labels: {} };

  test('boots with whatever card is plugged in there; the same card elsewhere is nobody', async () => {
    await core.close();
    core = await startCore({ machines: [pinned] });
    expect(() => core.views.explain('node1')).toThrow('has no MAC and was never seen');
    core.dora('pxe', { mac: strangerMac, relay });
    const text = await script(address, '52-54-00-00-00-99');
    expect(text).toContain('chroot=/systems/web');
    expect(nonceOf(text)).not.toBe('');
    expect(core.views.explain('node1').lines[0]).toMatchObject({ why: 'told by the port it is plugged into: p7' });
    expect(core.boot.machineOf({ mac: strangerMac, client: 'pxe', relay: { circuitId: '7038' } })).toBeUndefined();
    // After a restart its script and its renewals are still its own.
    core = await core.restart();
    expect(core.boot.machineOf({ mac: strangerMac, client: 'os', renewing: true })?.name).toBe('node1');
    expect(core.boot.machineOf({ mac: strangerMac })?.name).toBe('node1');
  });
});

describe('loader', () => {
  const uefi = { mac, client: 'pxe', arch: 7 } as const;
  test('auto: shim until Secure Boot was reported off; forgotten when a loader leads nowhere', async () => {
    const file = () => {
      const offer = core.boot.bootOffer(uefi, { mode: 'full' });
      return offer.kind === 'loader' ? offer.file : offer.kind;
    };
    expect(file()).toBe('shimx64.efi');
    core.dora('pxe', { arch: 7 });
    await core.reports.claim(
      lines({ nonce: nonceOf(await script()), 'claim-id': 'claim-id-1', secureboot: 'off' }),
      address,
    );
    expect(file()).toBe('snponly.efi');
    core.now += 1000;
    core.dora('pxe', { arch: 7 });
    core.boot.transfer({
      requester: { protocol: 'tftp', address },
      name: 'snponly.efi',
      phase: 'sent',
      bytes: 1,
      total: 1,
      milliseconds: 1,
    });
    core.now += 180_000;
    core.sessions.checkStalls();
    expect(core.sessions.of('node1')?.diagnosis?.name).toBe('loader-refused');
    expect(file()).toBe('shimx64.efi');
  });

  test('HTTP firmware gets a whole URL; Secure Boot over HTTP gets a diagnosis', async () => {
    const http = { mac, client: 'http', arch: 16 } as const;
    expect(core.boot.bootOffer(http, { mode: 'full' })).toMatchObject({
      file: 'http://10.77.0.1:8080/boot/snponly.efi',
    });
    core.dora('pxe', { arch: 7 });
    await core.reports.claim(
      lines({ nonce: nonceOf(await script()), 'claim-id': 'claim-id-1', secureboot: 'on' }),
      address,
    );
    core.now += 1000;
    const facts = { mac, client: 'http', arch: 16 } as const;
    const refusal = core.boot.bootOffer(facts, { mode: 'full' });
    if (refusal.kind !== 'none' || refusal.diagnosis === undefined) throw new Error('no diagnosis');
    core.step('discover', 'http', { arch: 16 });
    core.boot.step({ facts, message: 'offer', text: 'offer', data: {}, diagnosis: refusal.diagnosis });
    expect(core.sessions.of('node1')).toMatchObject({ outcome: 'failed', diagnosis: { name: 'secure-boot-http' } });
  });

  test('a boot file of the site: a URL under /files, its fetch is the loader stage, and explain says where it was set', async () => {
    await core.close();
    core = await startCore({
      machines: [
        { ...machine, bootFiles: { '19': 'arm/my.efi', default: 'other.efi' }, options: { ntp: ['10.77.0.9'] } },
      ],
    });
    const arm = { mac, client: 'http', arch: 19 } as const;
    expect(core.boot.bootOffer(arm, { mode: 'full' })).toMatchObject({
      loader: 'site',
      file: 'http://10.77.0.1:8080/files/arm/my.efi',
    });
    core.dora('http', { arch: 19 });
    core.boot.transfer({
      requester: { protocol: 'http', address },
      name: 'files/arm/my.efi',
      phase: 'sent',
      bytes: 1,
      total: 1,
      milliseconds: 1,
    });
    expect(core.sessions.of('node1')?.stage).toBe('loader');
    const { lines: explained } = core.views.explain('node1');
    expect(explained).toContainEqual({
      what: 'ARM 64-bit UEFI HTTP gets',
      value: 'http://10.77.0.1:8080/files/arm/my.efi',
      why: 'machine node1 has role web; ARM 64-bit UEFI HTTP (arch 19), bootFiles.19 set on the machine',
    });
    expect(explained).toContainEqual({
      what: 'option 42 (ntp-servers)',
      value: '10.77.0.9',
      why: 'set on the machine node1',
    });
  });

  test('the same loader three times in a row is a chainload loop', async () => {
    core.dora('pxe');
    for (let time = 0; time < 3; time++) {
      core.step('discover', 'pxe');
      core.boot.transfer({
        requester: { protocol: 'tftp', address },
        name: 'undionly.kpxe',
        phase: 'sent',
        bytes: 1,
        total: 1,
        milliseconds: 1,
      });
    }
    expect(core.sessions.of('node1')).toMatchObject({ outcome: 'failed', diagnosis: { name: 'chainload-loop' } });
  });

  test('an options probe is not a fetched loader', () => {
    core.dora('pxe');
    core.boot.transfer({
      requester: { protocol: 'tftp', address },
      name: 'undionly.kpxe',
      phase: 'probed',
      bytes: 0,
      total: 1,
      milliseconds: 1,
    });
    expect(core.sessions.of('node1')?.loaderFetches).toBe(0);
  });

  test('profile localdisk: firmware gets no boot file, the machine is unmanaged', () => {
    core.state.applyChanges([
      {
        kind: 'machine',
        action: 'change',
        name: 'node1',
        fields: ['role'],
        value: { name: 'node1', macs: [mac], role: 'disk', labels: {} },
      },
    ]);
    core.dora('pxe');
    expect(core.boot.bootOffer({ mac, client: 'pxe', arch: 0 }, { mode: 'full' }).kind).toBe('none');
    expect(core.views.machineView('node1')?.status).toBe('unmanaged');
    core.state.applyChanges([
      {
        kind: 'machine',
        action: 'change',
        name: 'node1',
        fields: ['role'],
        value: { name: 'node1', macs: [mac], role: 'web', labels: {} },
      },
    ]);
  });
});

test('the files of a system are rendered for the machine', async () => {
  const claim = await core.claims.authenticate(await claimed());
  expect(core.definitions.systemFiles(claim, 'web')).toEqual([{ path: '/etc/motd', text: 'this is node1 with web\n' }]);
  expect(() => core.definitions.system(claim, 'other')).toThrow('not assigned to this machine');
});

test('each heartbeat renews the lease, and its silence makes the machine lost', async () => {
  const claim = await core.claims.authenticate(await claimed());
  await core.reports.report(claim, lines({ stage: 'live', step: 'started' }));
  await core.systems.heartbeat(
    claim,
    lines({ system: ['web running 0', 'db running 2'], 'memory-total-bytes': '500000000' }),
  );
  expect(core.renewed).toEqual([mac]);
  expect(core.views.machineView('node1')).toMatchObject({ status: 'up', session: { outcome: 'succeeded' } });
  core.now += 33_000;
  expect(core.views.machineView('node1')).toMatchObject({
    status: 'lost',
    systems: [{ state: 'unknown' }, { state: 'unknown' }],
  });
});

test('a heartbeat that was composed before a report and comes after it changes nothing of what was reported', async () => {
  const claim = await core.claims.authenticate(await claimed());
  await core.reports.report(claim, lines({ stage: 'live', step: 'started', 'uptime-ms': '5000' }));
  const beat = async (uptime: string, web: string) => {
    await core.systems.heartbeat(claim, lines({ 'uptime-ms': uptime, system: [web, 'db running 0'] }));
    return core.views.machineView('node1')?.systems.map(({ state, restarts }) => `${state} ${restarts}`);
  };
  expect(await beat('10000', 'web running 0')).toEqual(['running 0', 'running 0']);
  await core.reports.report(
    claim,
    lines({
      stage: 'systems',
      step: 'state',
      system: 'web',
      state: 'starting',
      restarts: '1',
      message: 'gone',
      'uptime-ms': '20000',
    }),
  );
  expect(await beat('19000', 'web running 0')).toEqual(['starting 1', 'running 0']);
  expect(await beat('21000', 'web running 1')).toEqual(['running 1', 'running 0']);
  // The clock of the next boot begins at nothing.
  const next = await core.claims.authenticate(await claimed());
  await core.reports.report(next, lines({ stage: 'live', step: 'started', 'uptime-ms': '4000' }));
  await core.systems.heartbeat(next, lines({ 'uptime-ms': '5000', system: ['web stopped 0', 'db running 0'] }));
  expect(core.views.machineView('node1')?.systems[0]).toMatchObject({ state: 'stopped', restarts: 0 });
});

test('an image that is missing is said on the machine’s own screen and in the events', async () => {
  core.state.removeImage('kernel', '1');
  core.dora('pxe');
  expect(await script()).toMatch(/echo anybios: ERROR: node1: profile micro needs image kernel/);
  expect(core.sessions.of('node1')).toMatchObject({ outcome: 'failed', diagnosis: { name: 'nothing-to-boot' } });
});

test('explain gives every value its reason', () => {
  const explained = core.views.explain('node1');
  expect(explained.lines.map((line) => line.what)).toContain('command line');
  for (const line of explained.lines) expect(`${line.what}: ${line.why}`).not.toMatch(/: $/);
  expect(() => core.views.explain('nobody')).toThrow('there is no machine nobody');
});

test('a reservation made while the machine has another address: explain says the new one, the machine shows the old', async () => {
  await core.close();
  const reserved = parseIpv4('10.77.0.11');
  core = await startCore({ machines: [{ name: 'node1', macs: [mac], role: 'web', labels: {}, address: reserved }] });
  expect(core.views.machineView('node1')?.address).toBeUndefined();
  core.dora('pxe');
  expect(core.views.machineView('node1')?.address).toBe(address);
  const { lines } = core.views.explain('node1');
  expect(lines).toContainEqual({ what: 'address', value: '10.77.0.11', why: 'reserved for the machine' });
  expect(lines.find(({ what }) => what === 'ip')?.value).toMatch(/^ip=10\.77\.0\.11:/);
  expect(core.views.renderFor('micro', 'node1', 'ipxe')).toContain(' ip=10.77.0.11:');
});

test('a transfer to somebody without a boot that broke off is told as that, not as refused', async () => {
  const requester = { protocol: 'tftp', address: elsewhere } as const;
  const sent = { requester, name: 'notes.txt', bytes: 512, total: 900, milliseconds: 5 };
  core.boot.transfer({ ...sent, phase: 'failed', reason: 'the client stopped with error 0' });
  await core.events.flush();
  expect((await core.store.events({ limit: 9 })).at(-1)).toMatchObject({
    source: 'tftp',
    kind: 'tftp.failed',
    level: 'warning',
    message: expect.stringMatching(
      /^notes\.txt to \S+ broke off after 512 of 900 bytes: the client stopped with error 0$/,
    ),
  });
});

test('the script for people has no nonce', () => {
  expect(core.views.renderFor('micro', 'node1', 'ipxe')).not.toMatch(/nonce/);
  expect(core.views.renderFor('localdisk', 'node1', 'grub')).toMatch(/exit/);
  expect(() => core.views.renderFor('nope', 'node1', 'ipxe')).toThrow('no profile nope');
});

describe('what a machine without MACs, a stolen nonce and a one-shot system get', () => {
  test('a machine told by its UUID alone boots to running systems', async () => {
    const uuid = '00000000-0000-0000-0000-000000000009';
    const value = { name: 'node9', macs: [], uuid, role: 'web', labels: {} };
    core.state.applyChanges([{ kind: 'machine', action: 'add', name: 'node9', fields: [], value }]);
    core.dora('pxe', { mac: strangerMac, uuid });
    const nonce = nonceOf(await script(address, '52-54-00-00-00-99'));
    const answer = await core.reports.claim(lines({ nonce, 'claim-id': 'claim-id-9' }), address);
    expect(answerValue(answer, 'machine')).toBe('node9');
    const claim = await core.claims.authenticate(answerValue(answer, 'credential'));
    await core.reports.report(claim, lines({ stage: 'live', step: 'started' }));
    await core.systems.heartbeat(claim, lines({ system: ['web running 0', 'db running 0'] }));
    expect(core.views.machineView('node9')).toMatchObject({ status: 'up', session: { outcome: 'succeeded' } });
  });

  test('a refused claim is an event, wherever it came from', async () => {
    core.dora('pxe');
    const nonce = nonceOf(await script());
    await core.reports.claim(lines({ nonce, 'claim-id': 'claim-id-1' }), address);
    await expect(core.reports.claim(lines({ nonce, 'claim-id': 'claim-id-2' }), elsewhere)).rejects.toThrow(
      'another claim-id',
    );
    await expect(
      core.reports.claim(lines({ nonce: 'ab'.repeat(24), 'claim-id': 'claim-id-2' }), elsewhere),
    ).rejects.toThrow('unknown nonce');
    const refused = (await core.kinds()).filter((kind) => kind === 'claim.refused');
    expect(refused).toHaveLength(2);
    expect(core.events_.find((event) => event.kind === 'claim.refused')).toMatchObject({
      session: core.sessions.of('node1')?.id,
      data: { address: '10.77.0.200' },
    });
  });

  test('a nonce is of no use at another address; the machine still gets its credential', async () => {
    core.dora('pxe');
    const nonce = nonceOf(await script());
    await expect(core.reports.claim(lines({ nonce, 'claim-id': 'claim-id-2' }), elsewhere)).rejects.toThrow(
      '10.77.0.200 is not the address of this boot (10.77.0.101)',
    );
    const answer = await core.reports.claim(lines({ nonce, 'claim-id': 'claim-id-1' }), address);
    expect(answerValue(answer, 'machine')).toBe('node1');
    // The answer got lost: repeated by the machine, not by somebody who saw it pass.
    await expect(core.reports.claim(lines({ nonce, 'claim-id': 'claim-id-1' }), elsewhere)).rejects.toThrow(
      'not the addr',
    );
    expect(await core.reports.claim(lines({ nonce, 'claim-id': 'claim-id-1' }), address)).toEqual(answer);
  });

  test('the first step of a boot is an event of its own', async () => {
    core.dora('pxe');
    core.dora('ipxe');
    expect((await core.kinds()).filter((kind) => kind.startsWith('dhcp.'))).toEqual([
      'dhcp.discover',
      'dhcp.offer',
      'dhcp.ack',
      'dhcp.discover',
      'dhcp.offer',
      'dhcp.ack',
    ]);
  });

  test('a flood of warnings outside a boot is cut, and says how much', async () => {
    for (let time = 0; time < 100; time++)
      core.boot.refused({ protocol: 'tftp', address: elsewhere }, `x${time}`, 'this server is read-only');
    core.now += 1000;
    core.boot.refused({ protocol: 'tftp', address: elsewhere }, 'y', 'this server is read-only');
    expect((await core.kinds()).filter((kind) => kind === 'tftp.refused')).toHaveLength(21);
    expect(core.events_.at(-1)).toMatchObject({ data: { file: 'y', leftOut: 80 } });
  });

  test('an image that is refused to somebody without a boot is an event', async () => {
    core.boot.transfer({
      requester: { protocol: 'http', address: elsewhere },
      name: `images/sha256/${'0'.repeat(64)}`,
      phase: 'failed',
      bytes: 0,
      total: 0,
      milliseconds: 1,
      reason: 'no image has this digest',
    });
    expect(await core.kinds()).toContain('http.refused');
  });

  test('a system that ends well and is not started again has done its work', async () => {
    const db = core.state.systems.get('db');
    if (db === undefined) throw new Error('no system db');
    core.state.applyChanges([
      { kind: 'system', action: 'change', name: 'db', fields: ['restart'], value: { ...db, restart: 'never' } },
    ]);
    const claim = await core.claims.authenticate(await claimed());
    await core.reports.report(claim, lines({ stage: 'live', step: 'started' }));
    await core.reports.report(claim, lines({ stage: 'systems', step: 'state', system: 'web', state: 'running' }));
    await core.reports.report(
      claim,
      lines({ stage: 'systems', step: 'state', system: 'db', state: 'stopped', message: 'ended with status 0' }),
    );
    expect(core.sessions.of('node1')).toMatchObject({ outcome: 'succeeded' });
  });

  test('the subnet’s own loader decides whether HTTP Boot with Secure Boot is hopeless', async () => {
    core.dora('pxe', { arch: 7 });
    await core.reports.claim(
      lines({ nonce: nonceOf(await script()), 'claim-id': 'claim-id-1', secureboot: 'on' }),
      address,
    );
    const facts = { mac, client: 'http', arch: 16 } as const;
    expect(core.boot.bootOffer(facts, { mode: 'full' })).toMatchObject({
      kind: 'none',
      diagnosis: { name: 'secure-boot-http' },
    });
    expect(core.boot.bootOffer(facts, { mode: 'full', loader: 'snponly' })).toMatchObject({ kind: 'loader' });
  });

  test('invented MACs are forgotten again, the longest silent first; one that waits for approval stays', async () => {
    const macOf = (n: number) => parseMac((0x020000000000 + n).toString(16).padStart(12, '0'));
    for (let n = 0; n <= MOST_STRANGERS; n++) {
      core.now += 50;
      core.step('discover', 'pxe', { mac: macOf(n) });
    }
    expect(core.views.machineView(macOf(0))).toBeUndefined();
    expect(core.views.machineView(macOf(1))?.status).toBe('discovered');
    core.state.observed.set(macOf(1), { ...observedOf(macOf(1)), waiting: true });
    core.step('discover', 'pxe', { mac: macOf(MOST_STRANGERS + 1) });
    expect(core.views.machineView(macOf(1))?.status).toBe('waiting');
    expect(core.views.machineView(macOf(2))).toBeUndefined();
    await core.events.flush();
  }, 60_000);
});

function observedOf(key: string) {
  const observed = core.state.observed.get(key);
  if (observed === undefined) throw new Error(`nothing is known of ${key}`);
  return observed;
}
