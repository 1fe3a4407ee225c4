import { expect, onTestFinished, test } from 'vitest';
import { parseIpv4 } from '../../server/domain/ipv4.js';
import { startApi } from '../support/api.js';

test('what was heard, the newest first; described in openapi.json', async () => {
  const api = await startApi();
  onTestFinished(() => api.close());
  expect(await api.json('GET', '/api/v1/network')).toEqual({ status: 200, body: { items: [] } });
  const fact = { interface: 'eth0', text: 'a sentence', count: 2, firstSeenAt: 1000 } as const;
  api.heard.push({ ...fact, kind: 'relay', address: parseIpv4('10.78.0.1'), lastSeenAt: 2000 });
  api.heard.push({ ...fact, kind: 'vlan', lastSeenAt: 3000 });
  expect((await api.json('GET', '/api/v1/network')).body).toEqual({
    items: [
      {
        ...fact,
        kind: 'vlan',
        firstSeenAt: '1970-01-01T00:00:01.000Z',
        lastSeenAt: '1970-01-01T00:00:03.000Z',
      },
      {
        ...fact,
        kind: 'relay',
        address: '10.78.0.1',
        firstSeenAt: '1970-01-01T00:00:01.000Z',
        lastSeenAt: '1970-01-01T00:00:02.000Z',
      },
    ],
  });
  const { body } = await api.json('GET', '/api/v1/openapi.json');
  expect(body).toMatchObject({ paths: { '/network': { get: { tags: ['network'] } } } });
});
