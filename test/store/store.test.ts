import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseIpv4 } from '../../server/domain/ipv4.js';
import { openStore } from '../../server/store/open-store.js';
import { tempFolder } from '../support/temp-folder.js';
import {
  add,
  change,
  claim,
  event,
  freshStore,
  image,
  lease,
  machine,
  observed,
  remove,
  role,
  session,
  system,
} from './store-fixture.js';

describe('a fresh store', () => {
  it('is empty', async () => {
    const { store } = await freshStore();
    expect(await store.load()).toEqual({
      machines: [],
      roles: [],
      systems: [],
      images: [],
      leases: [],
      observed: [],
      sessions: [],
      claims: [],
      holdings: [],
      roleLeases: [],
      tokens: [],
      sequence: 0,
    });
  });

  it('lies in files that only their owner reads', async () => {
    const { path } = await freshStore();
    const mode = (file: string): number => statSync(file).mode & 0o777;
    expect([mode(path), mode(`${path}-wal`), mode(`${path}.lock`), mode(dirname(path))]).toEqual([
      0o600, 0o600, 0o600, 0o700,
    ]);
  });

  it('is as it was after closing and opening', async () => {
    const { store, path } = await freshStore();
    await store.applyDesired(
      [add(system('web')), add(role('web', ['web'])), add(machine('m', ['52:54:00:00:00:01'], { role: 'web' }))],
      'test',
    );
    await store.claimLease(lease('10.77.0.5'), undefined);
    await store.saveImage(image('1', ['stable']));
    await store.saveObserved(observed('m', { inventory: { cpu: 'x' } }));
    await store.saveSession(session('s1'));
    await store.saveClaim(claim());
    await store.saveToken({ name: 'admin', hash: 'h', createdAt: 5 });
    await store.appendEvents([event()]);
    const before = await store.load();
    await store.close();
    const { store: again } = await freshStore({ path });
    expect(await again.load()).toEqual(before);
    expect(before.machines).toEqual([machine('m', ['52:54:00:00:00:01'], { role: 'web' })]);
    expect(before.sequence).toBe(3);
    expect(await again.events({ limit: 10 })).toEqual([{ ...event(), sequence: 1 }]);
  });
});

describe('leases', () => {
  const first = lease('10.77.0.5', { hostname: 'a', clientId: 'ff01' });
  const renewed = { ...first, expiresAt: first.expiresAt + 60 };

  it('are claimed when the address is free, and renewed when the row is what was expected', async () => {
    const { store } = await freshStore();
    expect(await store.claimLease(first, undefined)).toBe('ok');
    expect(await store.claimLease(renewed, first)).toBe('ok');
    expect(await store.lease(first.address)).toEqual(renewed);
    expect(await store.lease(parseIpv4('10.99.99.99'))).toBeUndefined();
    expect((await store.load()).leases).toEqual([renewed]);
  });

  it.each([
    ['the address is taken', undefined],
    ['another MAC has it', { ...first, mac: lease('1.1.1.1').mac.replace('1', '2') as typeof first.mac }],
    ['it was renewed meanwhile', { ...first, expiresAt: 1 }],
    ['the client id is another', { ...first, clientId: 'ff02' }],
    ['the host name came or went', lease('10.77.0.5', { clientId: 'ff01' })],
    ['its state changed', { ...first, state: 'declined' as const }],
  ])('conflict: %s', async (_name, expected) => {
    const { store } = await freshStore();
    await store.claimLease(first, undefined);
    expect(await store.claimLease(renewed, expected)).toBe('conflict');
    expect((await store.load()).leases).toEqual([first]);
  });

  it('conflict: a row is expected and none is there', async () => {
    const { store } = await freshStore();
    expect(await store.claimLease(renewed, first)).toBe('conflict');
    expect((await store.load()).leases).toEqual([]);
  });

  it('of the highest addresses keep their value', async () => {
    const { store } = await freshStore();
    const high = lease('255.255.255.254');
    await store.claimLease(high, undefined);
    expect((await store.load()).leases).toEqual([high]);
  });

  it('are removed', async () => {
    const { store } = await freshStore();
    await store.claimLease(first, undefined);
    await store.removeLease(parseIpv4('10.77.0.5'));
    expect((await store.load()).leases).toEqual([]);
    expect(await store.claimLease(first, undefined)).toBe('ok');
  });

  it('of one address claimed by many at once go to one', async () => {
    const { store } = await freshStore();
    const answers = await Promise.all(Array.from({ length: 100 }, () => store.claimLease(first, undefined)));
    expect(answers.filter((answer) => answer === 'ok')).toHaveLength(1);
  });
});

describe('desired state', () => {
  const base = [
    add(system('web')),
    add(role('web', ['web'])),
    add(machine('m', ['52:54:00:00:00:01'], { role: 'web', address: parseIpv4('10.77.0.5') })),
  ];

  it('is changed in one step, in whatever order the changes come', async () => {
    const { store } = await freshStore();
    await store.applyDesired([...base].reverse(), 'test');
    const two = machine('n', ['52:54:00:00:00:02'], { address: parseIpv4('10.77.0.6') });
    await store.applyDesired([add(two)], 'test');
    // Two machines swap MAC and address.
    const swapped = [
      machine('m', ['52:54:00:00:00:02'], { address: parseIpv4('10.77.0.6') }),
      machine('n', ['52:54:00:00:00:01'], { address: parseIpv4('10.77.0.5'), role: 'web' }),
    ];
    await store.applyDesired(
      swapped.map((value) => change('change', value)),
      'test',
    );
    expect((await store.load()).machines).toEqual(swapped);
    // What is referred to goes together with what refers to it.
    await store.applyDesired([remove('system', 'web'), remove('role', 'web'), remove('machine', 'n')], 'test');
    expect(await store.load()).toMatchObject({ machines: [swapped[0]], roles: [], systems: [] });
  });

  it.each([
    ['a MAC of another machine', [add(machine('x', ['52:54:00:00:00:01']))]],
    ['an address of another machine', [add(machine('x', ['52:54:00:00:00:09'], { address: parseIpv4('10.77.0.5') }))]],
    ['a name that somebody added meanwhile', [add(role('web'))]],
    ['a role that is not there', [add(machine('x', ['52:54:00:00:00:09'], { role: 'db' }))]],
    ['a system that is not there', [add(role('db', ['db']))]],
    ['removing a role in use', [remove('role', 'web')]],
    ['removing a system in use', [remove('system', 'web')]],
  ])('a conflict changes nothing: %s', async (_name, changes) => {
    const { store } = await freshStore();
    await store.applyDesired(base, 'test');
    const before = await store.load();
    const both = [add(machine('first', ['52:54:00:00:00:07'])), ...changes];
    await expect(store.applyDesired(both, 'test')).rejects.toMatchObject({ code: 'conflict' });
    expect(await store.load()).toEqual(before);
  });

  it('keeps a list of its changes', async () => {
    const { store } = await freshStore();
    expect(await store.applyDesired(base, 'test')).toBe(3);
    expect(await store.applyDesired([], 'test')).toBe(3);
    expect(await store.applyDesired([remove('machine', 'm')], 'test')).toBe(4);
    expect(await store.changesSince(2)).toEqual([
      { sequence: 3, kind: 'machine', name: 'm' },
      { sequence: 4, kind: 'machine', name: 'm' },
    ]);
  });
});

describe('images', () => {
  it('move their tags', async () => {
    const { store } = await freshStore();
    await store.saveImage(image('1', ['stable', 'old'], 'a'));
    await store.saveImage(image('2', ['stable'], 'b'));
    await store.tagImage('base', '1', 'test');
    const { images } = await store.load();
    expect(images.map(({ version, tags }) => [version, tags])).toEqual([
      ['1', ['old', 'test']],
      ['2', ['stable']],
    ]);
    await store.removeImage('base', '2');
    expect((await store.load()).images).toEqual([image('1', ['old', 'test'], 'a')]);
  });

  it('are immutable: saved again only with the same files', async () => {
    const { store } = await freshStore();
    await store.saveImage(image('1'));
    await store.saveImage(image('1', ['stable']));
    await expect(store.saveImage(image('1', [], 'b'))).rejects.toMatchObject({ code: 'conflict' });
    expect((await store.load()).images).toEqual([image('1', ['stable'])]);
  });

  it('a tag for an image that is not there is not found', async () => {
    const { store } = await freshStore();
    await expect(store.tagImage('base', '9', 'stable')).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('boot sessions', () => {
  it('load as the newest of each key; a key may become a name', async () => {
    const { store } = await freshStore();
    await store.saveSession(session('a', { openedAt: 1 }));
    await store.saveSession(session('b', { openedAt: 3 }));
    await store.saveSession(session('c', { openedAt: 2, key: '52:54:00:00:00:09' }));
    expect((await store.load()).sessions.map(({ id }) => id)).toEqual(['c', 'b']);
    await store.saveSession(session('c', { openedAt: 4, key: 'node1' }));
    expect((await store.load()).sessions.map(({ id }) => id)).toEqual(['c']);
  });

  it('are listed newest first, by key and page', async () => {
    const { store } = await freshStore();
    for (const n of [1, 2, 3, 4])
      await store.saveSession(session(`s${n}`, { openedAt: n, key: n % 2 ? 'odd' : 'even' }));
    const ids = async (filter: Parameters<typeof store.sessions>[0]) =>
      (await store.sessions(filter)).map(({ id }) => id);
    expect(await ids({ limit: 3 })).toEqual(['s4', 's3', 's2']);
    expect(await ids({ limit: 3, before: 2 })).toEqual(['s1']);
    expect(await ids({ limit: 3, key: 'odd' })).toEqual(['s3', 's1']);
    expect(await store.session('s2')).toEqual(session('s2', { openedAt: 2, key: 'even' }));
    expect(await store.session('none')).toBeUndefined();
  });

  it('are pruned, but the newest of a machine stays', async () => {
    const { store } = await freshStore({ limits: { sessions: 10 } });
    await store.saveSession(session('rare', { key: 'rare', openedAt: 0 }));
    await Promise.all(Array.from({ length: 999 }, (_, n) => store.saveSession(session(`s${n}`, { openedAt: n + 1 }))));
    const left = await store.sessions({ limit: 2000 });
    expect(left.map(({ id }) => id)).toEqual([...Array.from({ length: 10 }, (_, n) => `s${998 - n}`), 'rare']);
  });

  it('have claims until they are revoked', async () => {
    const { store } = await freshStore();
    const first = claim();
    await store.saveClaim(first);
    await store.saveClaim({ ...first, claimId: 'c', credentialHash: 'h' });
    await store.saveClaim(claim({ session: 's2' }));
    await store.saveClaim(claim({ session: 's2', revoked: true }));
    expect((await store.load()).claims).toEqual([{ ...first, claimId: 'c', credentialHash: 'h' }]);
  });

  it('have nonces that are forgotten a day after they expired without a claim', async () => {
    const { store } = await freshStore();
    const old = Date.now() - 90_000_000;
    await store.saveClaim(claim({ session: 'unclaimed', nonceExpiresAt: old }));
    await store.saveClaim(claim({ session: 'claimed', nonceExpiresAt: old, claimId: 'c' }));
    await store.saveClaim(claim({ session: 'fresh' }));
    expect((await store.load()).claims.map(({ session: id }) => id)).toEqual(['claimed', 'fresh']);
  });
});

describe('events', () => {
  it('get growing numbers in order, over restarts too', async () => {
    const { store, path } = await freshStore();
    expect(await store.appendEvents([event({ kind: 'a' }), event({ kind: 'b' })])).toBe(1);
    expect((await store.events({ limit: 9 })).map(({ sequence, kind }) => [sequence, kind])).toEqual([
      [1, 'a'],
      [2, 'b'],
    ]);
    expect(await store.appendEvents([])).toBe(3);
    await store.close();
    const { store: again } = await freshStore({ path });
    expect(await again.appendEvents([event()])).toBe(3);
  });

  it('are found by every filter, from either end', async () => {
    const { store } = await freshStore();
    const mac = lease('1.1.1.1').mac;
    await store.appendEvents([
      event({ session: 's1', machine: 'm1', mac }),
      event({ session: 's1', source: 'tftp', level: 'warning' }),
      event({ session: 's2', machine: 'm2', source: 'stage1', level: 'error' }),
    ]);
    const found = async (filter: Parameters<typeof store.events>[0]) =>
      (await store.events(filter)).map(({ sequence }) => sequence);
    expect(await found({ limit: 9 })).toEqual([1, 2, 3]);
    expect(await found({ limit: 2, newestFirst: true })).toEqual([3, 2]);
    expect(await found({ limit: 9, session: 's1' })).toEqual([1, 2]);
    expect(await found({ limit: 9, machine: 'm2' })).toEqual([3]);
    expect(await found({ limit: 9, mac })).toEqual([1]);
    expect(await found({ limit: 9, source: 'tftp' })).toEqual([2]);
    expect(await found({ limit: 9, level: 'error' })).toEqual([3]);
    expect(await found({ limit: 9, session: 's1', after: 1 })).toEqual([2]);
    expect(await store.events({ limit: 1 })).toEqual([
      { ...event({ session: 's1', machine: 'm1', mac }), sequence: 1 },
    ]);
  });

  it('are kept up to a limit', async () => {
    const { store } = await freshStore({ limits: { events: 100 } });
    for (let n = 0; n < 20; n += 1) await store.appendEvents(Array.from({ length: 150 }, () => event()));
    const kept = await store.events({ limit: 5000 });
    expect(kept.length).toBeLessThan(1100);
    expect(kept.at(-1)?.sequence).toBe(3000);
  });
});

describe('tokens and settings', () => {
  it('are saved, changed and removed', async () => {
    const { store } = await freshStore();
    await store.saveToken({ name: 'a', hash: '1', createdAt: 1 });
    await store.saveToken({ name: 'a', hash: '2', createdAt: 2 });
    await expect(store.saveToken({ name: 'b', hash: '2', createdAt: 2 })).rejects.toMatchObject({ code: 'conflict' });
    expect((await store.load()).tokens).toEqual([{ name: 'a', hash: '2', createdAt: 2 }]);
    await store.removeToken('a');
    expect((await store.load()).tokens).toEqual([]);
    expect(await store.setting('key')).toBeUndefined();
    await store.saveSetting('key', '1');
    await store.saveSetting('key', '2');
    expect(await store.setting('key')).toBe('2');
  });
});

it('a folder that is there keeps its mode', async () => {
  const folder = tempFolder();
  mkdirSync(`${folder}/data`, { mode: 0o750 });
  const store = await openStore({ path: `${folder}/data/anybios.db` });
  await store.close();
  expect(statSync(`${folder}/data`).mode & 0o777).toBe(0o750);
});
