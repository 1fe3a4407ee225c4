import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseIpv4 } from '../../server/domain/ipv4.js';
import { startApi, type TestApi } from '../support/api.js';
import { mac } from '../support/boot-core.js';

let api: TestApi;
beforeEach(async () => {
  api = await startApi();
  api.leases.push({ address: parseIpv4('10.77.0.101'), mac, state: 'active', startedAt: 900, expiresAt: 4500 });
});
afterEach(() => api.close());

test('a lease is ended by DELETE, with an event; one that is not there is not found', async () => {
  expect(await api.json('DELETE', '/api/v1/leases/10.77.0.101')).toMatchObject({ status: 204 });
  expect(await api.json('GET', '/api/v1/leases')).toMatchObject({
    body: { items: [{ address: '10.77.0.101', state: 'released' }] },
  });
  expect(api.core.events_.find(({ kind }) => kind === 'lease.released') ?? (await lastEvent())).toMatchObject({
    machine: 'node1',
    mac,
    message: 'the lease of 10.77.0.101 was ended by admin',
  });
  expect(await api.json('DELETE', '/api/v1/leases/10.77.0.102')).toMatchObject({
    status: 404,
    body: { error: { code: 'not_found', message: 'there is no lease of 10.77.0.102' } },
  });
  expect(await api.json('DELETE', '/api/v1/leases/x')).toMatchObject({ status: 400 });
});

async function lastEvent(): Promise<unknown> {
  await api.core.events.flush();
  return api.core.events_.find(({ kind }) => kind === 'lease.released');
}

test('the export is text; an unknown format is refused', async () => {
  const answer = await api.call('GET', '/api/v1/leases/export?format=dnsmasq');
  expect([answer.status, await answer.text()]).toEqual([200, `4500 ${mac} 10.77.0.101 * *\n`]);
  expect(await api.json('GET', '/api/v1/leases/export?format=isc')).toMatchObject({ status: 400 });
});
