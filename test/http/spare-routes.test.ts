import { afterEach, beforeEach, expect, test } from 'vitest';
import { startApi, type TestApi } from '../support/api.js';

/* Who holds a role with spares, and the two words of a person about it, over HTTP. */

let time = 1000;
let api: TestApi;
beforeEach(async () => {
  time = 1000;
  api = await startApi({ core: { monotonic: () => time } });
  await api.json('PUT', '/api/v1/machines/node9', { macs: ['52:54:00:00:00:09'] });
  expect((await api.json('PATCH', '/api/v1/roles/web', { spares: ['node9'], spareLease: '60s' })).status).toBe(200);
});
afterEach(() => api.close());

test('a machine shows who has its role, and what is against each spare; the spare what it waits for', async () => {
  expect((await api.json('GET', '/api/v1/machines/node1')).body).toMatchObject({
    role: 'web',
    place: { role: 'web', holder: 'node1', leaseSeconds: 60, spares: [{ name: 'node9', unfit: 'is not up' }] },
  });
  const spare = (await api.json('GET', '/api/v1/machines/node9')).body;
  expect(spare).toMatchObject({ standby: 'web' });
  expect(spare).not.toHaveProperty('place');
  expect((await api.json('GET', '/api/v1/roles/web')).body).toMatchObject({ spares: ['node9'], spareLease: '60s' });
  const { body } = await api.json('GET', '/api/v1/machines/node1/explain');
  expect(JSON.stringify(body)).toContain('"what":"spare","value":"node9","why":"is not up"');
});

test('a hand-over to a spare that is not up is refused with the reason', async () => {
  const { status, body } = await api.json('POST', '/api/v1/machines/node1/hand-over', { to: 'node9' });
  expect(status).toBe(409);
  expect(body).toMatchObject({ error: { code: 'conflict', message: 'node9 is not up', field: 'to' } });
  expect((await api.json('POST', '/api/v1/machines/node9/hand-over', {})).body).toMatchObject({
    error: { message: 'node9 holds no role' },
  });
});

test('off is believed after three heartbeats of silence, and written down with the name of who said it', async () => {
  const early = await api.json('POST', '/api/v1/machines/node1/confirm-off');
  expect(early.status).toBe(409);
  expect(early.body).toMatchObject({ error: { remedy: expect.stringContaining('three heartbeats') } });
  for (let second = 0; second < 60; second += 2) {
    time += 2000;
    await api.core.standby.check();
  }
  expect((await api.json('POST', '/api/v1/machines/node1/confirm-off')).status).toBe(200);
  await api.core.events.flush();
  const { body } = await api.json('GET', '/api/v1/events?machine=node1');
  expect(JSON.stringify(body)).toContain('admin says that node1 is switched off');
  expect((await api.json('POST', '/api/v1/machines/node77/confirm-off')).status).toBe(404);
});

test('a machine that has a role cannot be a spare, and a spare cannot be given one', async () => {
  expect((await api.json('PATCH', '/api/v1/roles/web', { spares: ['node1'] })).status).toBe(400);
  const { status, body } = await api.json('PATCH', '/api/v1/machines/node9', { role: 'one' });
  expect(status).toBe(400);
  expect(JSON.stringify(body)).toContain('node9 is a spare of role web and has role one');
});
