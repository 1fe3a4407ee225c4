import { afterEach, beforeEach, expect, test } from 'vitest';
import type { BootSession } from '../../server/domain/boot-session.js';
import type { Ipv4 } from '../../server/domain/ipv4.js';
import { startApi, type TestApi } from '../support/api.js';
import { mac } from '../support/boot-core.js';

let api: TestApi;
beforeEach(async () => {
  api = await startApi();
});
afterEach(() => api.close());

const session = (id: string, openedAt: number): BootSession => ({
  id,
  key: 'node1',
  mac,
  machine: 'node1',
  firmware: 'bios',
  openedAt,
  lastStepAt: openedAt,
  stage: 'dhcp',
  stages: { dhcp: openedAt },
  outcome: 'running',
  loaderFetches: 0,
});

test('pages hold every session once, also when a rack was switched on in one millisecond', async () => {
  const times = [1000, 2000, 3000, 3000, 3000, 3000, 4000, 5000, 5000];
  await Promise.all(times.map((at, i) => api.core.store.saveSession(session(`s${i}`, at))));
  for (const limit of [1, 2, 3, 100]) {
    const seen: string[] = [];
    let next: string | undefined;
    do {
      const { body } = await api.json(
        'GET',
        `/api/v1/boots?limit=${limit}${next === undefined ? '' : `&next=${next}`}`,
      );
      const page = body as { items: { session: string }[]; next?: string };
      seen.push(...page.items.map((item) => item.session));
      next = page.next;
    } while (next !== undefined);
    expect(seen.toSorted(), `limit ${limit}`).toEqual(times.map((_at, i) => `s${i}`));
  }
  expect((await api.json('GET', '/api/v1/boots?machine=nobody')).body).toEqual({ items: [] });
});

test('one session comes with its timeline across the protocols', async () => {
  api.core.dora('pxe');
  await api.core.events.flush();
  const { status, body } = await api.json('GET', '/api/v1/boots/session-0-1');
  expect(status).toBe(200);
  expect(body).toMatchObject({
    session: 'session-0-1',
    stage: 'dhcp',
    events: expect.arrayContaining([expect.objectContaining({ source: 'dhcp', session: 'session-0-1' })]),
  });
  expect(body).not.toHaveProperty('next');
  expect(await api.json('GET', '/api/v1/boots/none')).toMatchObject({
    status: 404,
    body: { error: { code: 'not_found' } },
  });
});

test('leases are listed by address, with the machine, in pages', async () => {
  const lease = (address: number, expiresAt: number) =>
    ({ address: address as Ipv4, mac, state: 'active', startedAt: 10, expiresAt }) as const;
  api.leases.push(lease(0x0a4d00c8, 9000), lease(0x0a4d0064, 20));
  const first = await api.json('GET', '/api/v1/leases?limit=1');
  expect(first.body).toEqual({
    items: [
      {
        address: '10.77.0.100',
        mac,
        machine: 'node1',
        state: 'active',
        expired: true,
        startedAt: '1970-01-01T00:00:10.000Z',
        expiresAt: '1970-01-01T00:00:20.000Z',
      },
    ],
    next: '10.77.0.100',
  });
  expect((await api.json('GET', '/api/v1/leases?next=10.77.0.100')).body).toMatchObject({
    items: [{ address: '10.77.0.200', expired: false }],
  });
});
