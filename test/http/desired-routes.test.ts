import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startApi, type TestApi } from '../support/api.js';
import { strangerMac } from '../support/boot-core.js';

let api: TestApi;
beforeEach(async () => {
  api = await startApi({ core: { unknown: { kind: 'discover' } } });
});
afterEach(() => api.close());

/** What a server would know after a restart. */
const stored = () => api.core.store.load();

/** The made-up state of the core's tests has a role of mode single with a limited system, which no operator could write. */
const withoutSingleRole = () => api.json('DELETE', '/api/v1/roles/one');

describe('one machine', () => {
  test('PUT adds, and replaces as a whole', async () => {
    const body = { macs: ['52-54-00-00-00-02'], address: '10.77.0.12', role: 'web', labels: { rack: 'r2' } };
    expect(await api.json('PUT', '/api/v1/machines/node2', body)).toMatchObject({
      status: 200,
      body: { name: 'node2', macs: ['52:54:00:00:00:02'], address: '10.77.0.12', role: 'web', status: 'off' },
    });
    const replaced = await api.json('PUT', '/api/v1/machines/node2', { macs: ['52:54:00:00:00:02'] });
    expect(replaced.body).toMatchObject({ labels: {} });
    expect(replaced.body).not.toHaveProperty('role');
    expect((await stored()).machines).toContainEqual({ name: 'node2', macs: ['52:54:00:00:00:02'], labels: {} });
  });

  test('PATCH: absent = as it was, null = cleared, a value is set', async () => {
    expect((await api.json('PATCH', '/api/v1/machines/node1', { address: '10.77.0.11' })).body).toMatchObject({
      role: 'web',
      address: '10.77.0.11',
      labels: { rack: 'r1' },
    });
    const cleared = await api.json('PATCH', '/api/v1/machines/node1', { role: null, labels: { rack: null, row: '3' } });
    expect(cleared.body).not.toHaveProperty('role');
    expect(cleared.body).toMatchObject({ address: '10.77.0.11', labels: { row: '3' }, systems: [] });
    expect((await api.json('PATCH', '/api/v1/machines/nobody', { role: null })).status).toBe(404);
  });

  const refused: readonly (readonly [string, string, object, number, string | undefined])[] = [
    ['a role that is not there', 'PATCH', { role: 'wbe' }, 400, 'role'],
    ['a MAC that is none', 'PATCH', { macs: ['hello'] }, 400, 'macs[0]'],
    ['no MAC', 'PATCH', { macs: [] }, 400, 'macs'],
    ['clearing what is needed', 'PATCH', { macs: null }, 400, 'macs'],
    ['an unknown field', 'PATCH', { rolle: 'web' }, 400, 'rolle'],
    ['an address of no subnet', 'PATCH', { address: '192.0.2.1' }, 400, 'address'],
    ['another name', 'PATCH', { name: 'node9' }, 400, 'name'],
    ['the whole without MACs', 'PUT', { role: 'web' }, 400, 'macs'],
  ];
  test.each(refused)('%s is refused and nothing changes', async (_name, method, body, status, field) => {
    const before = await stored();
    expect(await api.json(method, '/api/v1/machines/node1', body)).toMatchObject({
      status,
      body: { error: { code: 'invalid', field } },
    });
    expect(await stored()).toEqual(before);
  });

  test('a MAC of another machine is refused', async () => {
    expect(await api.json('PUT', '/api/v1/machines/node2', { macs: ['52:54:00:00:00:01'] })).toMatchObject({
      status: 400,
      body: { error: { field: 'macs[0]', message: expect.stringContaining('node1') } },
    });
  });

  test('DELETE removes it, from memory and store', async () => {
    expect((await api.json('DELETE', '/api/v1/machines/node1')).status).toBe(204);
    expect((await api.json('GET', '/api/v1/machines/node1')).status).toBe(404);
    expect((await stored()).machines).toEqual([]);
    expect((await api.json('DELETE', '/api/v1/machines/node1')).status).toBe(404);
  });

  test('two writers at once: neither takes what the other just took', async () => {
    const results = await Promise.all(
      ['a', 'b', 'c', 'd'].map((name) =>
        api.json('PUT', `/api/v1/machines/${name}`, { macs: [`52:54:00:00:02:0${name}`], address: '10.77.0.50' }),
      ),
    );
    expect(results.map(({ status }) => status).sort()).toEqual([200, 400, 400, 400]);
  });
});

describe('approval', () => {
  const path = `/api/v1/machines/${strangerMac}/approve`;

  test('a discovered machine becomes a machine and keeps what was seen of it', async () => {
    api.core.dora('pxe', { mac: strangerMac });
    const { status, body } = await api.json('POST', path, { name: 'node7', role: 'web', address: '10.77.0.17' });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      name: 'node7',
      known: true,
      macs: [strangerMac],
      role: 'web',
      address: '10.77.0.17',
      arch: 0,
      boot: { session: 'session-0-1', key: 'node7' },
    });
    expect((await api.json('GET', '/api/v1/machines?status=discovered')).body).toEqual({ items: [] });
    expect(await api.json('POST', path, { name: 'node8' })).toMatchObject({
      status: 409,
      body: { error: { code: 'conflict' } },
    });
    expect(await api.core.kinds()).toContain('machine.added');
  });

  test('is refused for an unknown MAC, a taken name, a missing name, an unknown role', async () => {
    expect((await api.json('POST', path, { name: 'node7' })).status).toBe(404);
    api.core.dora('pxe', { mac: strangerMac });
    const refusal = async (body: object) => (await api.json('POST', path, body)).body as { error: object };
    expect(await refusal({ name: 'node1' })).toMatchObject({ error: { code: 'conflict', field: 'name' } });
    expect(await refusal({})).toMatchObject({ error: { code: 'invalid', field: 'name' } });
    expect(await refusal({ name: 'node7', role: 'nope' })).toMatchObject({ error: { code: 'invalid', field: 'role' } });
    expect(await refusal({ name: 'Node 7' })).toMatchObject({ error: { code: 'invalid', field: 'name' } });
    expect((await stored()).machines).toHaveLength(1);
  });

  test('PATCH of a discovered machine says to approve it first, DELETE forgets it', async () => {
    api.core.dora('pxe', { mac: strangerMac });
    expect(await api.json('PATCH', `/api/v1/machines/${strangerMac}`, { role: 'web' })).toMatchObject({
      status: 409,
      body: { error: { remedy: expect.stringContaining('machine approve') } },
    });
    expect((await api.json('DELETE', `/api/v1/machines/${strangerMac}`)).status).toBe(204);
    expect((await api.json('GET', `/api/v1/machines/${strangerMac}`)).status).toBe(404);
  });
});

describe('roles and systems', () => {
  test('what is read can be written back', async () => {
    await withoutSingleRole();
    for (const path of ['/api/v1/roles/web', '/api/v1/systems/web']) {
      const { body } = await api.json('GET', path);
      expect(await api.json('PUT', path, body)).toEqual({ status: 200, body });
    }
    expect((await api.json('GET', '/api/v1/systems/web')).body).toMatchObject({ memory: '128M', image: 'base' });
    expect((await api.json('GET', '/api/v1/roles')).body).toMatchObject({
      items: [{ name: 'disk' }, { name: 'web' }],
    });
  });

  test('what something refers to is not removed', async () => {
    expect(await api.json('DELETE', '/api/v1/roles/web')).toMatchObject({
      status: 409,
      body: { error: { code: 'conflict' } },
    });
    expect((await api.json('DELETE', '/api/v1/systems/db')).status).toBe(409);
    expect((await api.json('DELETE', '/api/v1/roles/one')).status).toBe(204);
    expect((await api.json('GET', '/api/v1/roles/one')).status).toBe(404);
  });

  test('a field that no profile can honour is refused', async () => {
    expect(await api.json('PATCH', '/api/v1/systems/web', { kind: 'vm' })).toMatchObject({
      status: 400,
      body: { error: { field: 'kind', message: expect.stringContaining('allowed: chroot') } },
    });
    expect((await api.json('PATCH', '/api/v1/systems/web', { memory: null })).body).not.toHaveProperty('memory');
  });
});

describe('apply and export', () => {
  const site = 'machines:\n  - { name: node2, macs: ["52:54:00:00:00:02"], role: web }\n';
  const apply = (text: string, query = '') => api.json('POST', `/api/v1/apply${query}`, text);

  test('a dry run says what would change and changes nothing', async () => {
    const before = await stored();
    expect(await apply(site, '?dryRun=1')).toMatchObject({
      status: 200,
      body: {
        changes: [{ kind: 'machine', action: 'add', name: 'node2' }],
        text: '+ machine node2\n1 to add, 0 to change, 0 to remove',
      },
    });
    expect(await stored()).toEqual(before);
    expect((await api.json('GET', '/api/v1/machines/node2')).status).toBe(404);
  });

  test('applies once, then nothing is left to do', async () => {
    expect((await apply(site)).body).toMatchObject({ changes: [{ name: 'node2' }] });
    expect((await apply(site)).body).toEqual({ changes: [], machines: [], text: 'no changes' });
    expect((await stored()).machines.map(({ name }) => name).sort()).toEqual(['node1', 'node2']);
  });

  test('only prune removes', async () => {
    expect((await apply(site, '?prune=1')).body).toMatchObject({
      changes: [
        { action: 'remove', name: 'node1' },
        { action: 'add', name: 'node2' },
      ],
    });
    expect((await stored()).machines.map(({ name }) => name)).toEqual(['node2']);
  });

  test('JSON is a site file too', async () => {
    const text = JSON.stringify({ machines: [{ name: 'node2', macs: ['52:54:00:00:00:02'] }] });
    const response = await api.call('POST', '/api/v1/apply', text, { 'content-type': 'application/json' });
    expect(await response.json()).toMatchObject({ changes: [{ name: 'node2' }] });
  });

  test('one wrong line: it is named, and nothing of the file is applied', async () => {
    const before = await stored();
    const { status, body } = await apply(`${site}  - { name: node3, macs: ["nonsense"] }\n`);
    expect(status).toBe(400);
    expect(body).toMatchObject({
      error: { code: 'invalid', field: 'machines[1].macs[0]', message: expect.stringContaining('site.yaml:3') },
    });
    expect((await apply('machines: [')).status).toBe(400);
    expect((await apply(site, '?dryRun=perhaps')).body).toMatchObject({ error: { field: 'dryRun' } });
    expect(await stored()).toEqual(before);
  });

  test('a role whose machines would all get too long a command line is refused with the limit', async () => {
    const names = Array.from({ length: 30 }, (_, n) => `${'s'.repeat(60)}${n}`);
    const systems = names.map((name) => `  - { name: ${name}, kind: chroot, image: base, command: [a] }\n`).join('');
    const role = `roles:\n  - { name: wide, profile: micro, systems: [${names.join(', ')}] }\n`;
    const { status, body } = await apply(`systems:\n${systems}${role}`);
    expect(status).toBe(400);
    expect(body).toMatchObject({
      error: { field: 'roles[0].systems', message: expect.stringMatching(/^\S+:33: .* the limit is 2047; allowed: /) },
    });
  });

  test('what is exported changes nothing when applied', async () => {
    await withoutSingleRole();
    const response = await api.call('GET', '/api/v1/export');
    expect(response.headers.get('content-type')).toBe('application/yaml; charset=utf-8');
    const text = await response.text();
    expect(text).toContain('name: node1');
    expect((await apply(text, '?prune=1')).body).toEqual({ changes: [], machines: [], text: 'no changes' });
  });

  test('a store that fails changes nothing in memory', async () => {
    await api.core.events.flush();
    await api.core.store.close();
    expect(await apply(site)).toMatchObject({ status: 503, body: { error: { code: 'unavailable' } } });
    expect((await api.json('GET', '/api/v1/machines/node2')).status).toBe(404);
    expect((await api.json('DELETE', '/api/v1/machines/node1')).status).toBe(503);
    expect((await api.json('GET', '/api/v1/machines/node1')).status).toBe(200);
  });
});
