import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startApi, type TestApi } from '../support/api.js';
import { strangerMac } from '../support/boot-core.js';

let api: TestApi;
beforeEach(async () => {
  api = await startApi({ core: { unknown: { kind: 'discover' } } });
});
afterEach(() => api.close());

describe('machines', () => {
  test('a machine that never booted is off, with its systems stopped', async () => {
    expect(await api.json('GET', '/api/v1/machines/node1')).toEqual({
      status: 200,
      body: {
        name: 'node1',
        known: true,
        status: 'off',
        macs: ['52:54:00:00:00:01'],
        role: 'web',
        labels: { rack: 'r1' },
        systems: [
          { name: 'web', state: 'stopped', restarts: 0 },
          { name: 'db', state: 'stopped', restarts: 0 },
        ],
        desired: { role: 'web', profile: 'micro', mode: 'resident', systems: ['web', 'db'] },
        drift: [{ what: 'off', reason: 'the machine does not run', ends: 'wait', remedy: 'switch it on' }],
        changing: false,
      },
    });
  });

  test('a machine that boots shows its session with the time of each stage', async () => {
    api.core.dora('pxe');
    const { body } = await api.json('GET', '/api/v1/machines/node1');
    expect(body).toMatchObject({
      status: 'booting',
      currentAddress: '10.77.0.101',
      arch: 0,
      boot: {
        session: 'session-0-1',
        key: 'node1',
        machine: 'node1',
        mac: '52:54:00:00:00:01',
        stage: 'dhcp',
        outcome: 'running',
        firmware: 'bios',
        stages: { dhcp: '1970-01-01T00:16:40.000Z' },
        openedAt: '1970-01-01T00:16:40.000Z',
      },
    });
  });

  test('a discovered machine is listed under its MAC and found in any spelling', async () => {
    api.core.dora('pxe', { mac: strangerMac });
    const { body } = await api.json('GET', '/api/v1/machines?status=discovered');
    expect(body).toMatchObject({ items: [{ name: strangerMac, known: false, status: 'discovered', systems: [] }] });
    const byMac = await api.json('GET', `/api/v1/machines/${strangerMac.replaceAll(':', '-').toUpperCase()}`);
    expect(byMac).toMatchObject({ status: 200, body: { name: strangerMac } });
    expect(await api.json('GET', '/api/v1/machines/525400000001')).toMatchObject({ body: { name: 'node1' } });
  });

  test('an unknown name is not found', async () => {
    expect(await api.json('GET', '/api/v1/machines/nobody')).toEqual({
      status: 404,
      body: {
        error: {
          code: 'not_found',
          message: 'there is no machine "nobody"',
          remedy: 'see: anybios machine list',
        },
      },
    });
  });

  test('a misspelt query is refused, not ignored', async () => {
    expect(await api.json('GET', '/api/v1/machines?stauts=up')).toMatchObject({
      status: 400,
      body: { error: { code: 'invalid', field: 'stauts' } },
    });
    expect(await api.json('GET', '/api/v1/machines?status=broken')).toMatchObject({
      status: 400,
      body: { error: { code: 'invalid', field: 'status' } },
    });
  });

  test('explain says what it would be given and why', async () => {
    const { status, body } = await api.json('GET', '/api/v1/machines/node1/explain');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      machine: 'node1',
      lines: expect.arrayContaining([expect.objectContaining({ what: 'machine' })]),
    });
  });

  test('pages follow the order of names: node2 before node10', async () => {
    await api.close();
    const names = ['node10', 'node2', 'node1', 'node3'];
    const machines = names.map((name, i) => ({ name, macs: [`52:54:00:00:01:0${i}` as never], labels: {} }));
    api = await startApi({ core: { machines } });
    const seen: unknown[] = [];
    let next = '';
    do {
      const { body } = await api.json('GET', `/api/v1/machines?limit=3${next}`);
      const page = body as { items: { name: string }[]; next?: string };
      seen.push(...page.items.map((item) => item.name));
      next = page.next === undefined ? '' : `&next=${page.next}`;
    } while (next !== '');
    expect(seen).toEqual(['node1', 'node2', 'node3', 'node10']);
  });
});

describe('profiles', () => {
  test('lists what is there, and renders the script for a machine without a nonce', async () => {
    const { body } = await api.json('GET', '/api/v1/profiles');
    expect(body).toMatchObject({
      items: [{ name: 'discover' }, { name: 'live' }, { name: 'localdisk' }, { name: 'micro', kind: 'boot' }],
    });
    const response = await api.call('GET', '/api/v1/profiles/micro/render?machine=node1');
    const script = await response.text();
    expect(response.headers.get('content-type')).toMatch('text/plain');
    expect(script).toMatch(/^#!ipxe\n/);
    expect(script).not.toMatch(/anybios\.nonce=[^ ]{20}/);
    expect((await api.json('GET', '/api/v1/profiles/micro/render?machine=nobody')).status).toBe(404);
    expect((await api.json('GET', '/api/v1/profiles/nope')).body).toMatchObject({
      error: { code: 'not_found', remedy: 'profiles here: discover, live, localdisk, micro' },
    });
  });
});
