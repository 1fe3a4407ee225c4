import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseIpv4 } from '../../server/domain/ipv4.js';
import { adminToken, startApi, type TestApi } from '../support/api.js';

let api: TestApi;
beforeEach(async () => {
  api = await startApi();
});
afterEach(() => api.close());

describe('who may come in', () => {
  const refused: readonly (readonly [string, Record<string, string>])[] = [
    ['no header', {}],
    ['a wrong token', { authorization: 'Bearer nonsense' }],
    ['a part of the token', { authorization: `Bearer ${adminToken.slice(0, -1)}` }],
    ['another scheme', { authorization: `Basic ${adminToken}` }],
    ['an empty token', { authorization: 'Bearer ' }],
  ];
  test.each(refused)('%s: 401 with a remedy', async (_name, headers) => {
    for (const path of ['/api/v1/machines', '/api/v1/openapi.json', '/api/v1/nothing', '/api']) {
      const response = await fetch(api.url + path, { headers });
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toMatch('Bearer');
      expect(await response.json()).toMatchObject({
        error: { code: 'unauthorized', remedy: expect.stringContaining('admin.token') },
      });
    }
  });

  test('nothing of the API is answered without one, however its path is spelled', async () => {
    const document = (await api.json('GET', '/api/v1/openapi.json')).body as { paths: Record<string, object> };
    // As it stands in the request line: fetch would clean it up.
    const status = (method: string, path: string): Promise<number> =>
      new Promise((resolve, reject) => {
        request(api.url, { method, path, agent: false }, (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        })
          .once('error', reject)
          .end();
      });
    let routes = 0;
    for (const [path, methods] of Object.entries(document.paths)) {
      const full = `/api/v1${path.replace(/^\/api\/v1/, '')}`.replace(/\{\w+\}/g, 'x');
      for (const method of Object.keys(methods)) {
        // Another process takes uploads: image-routes.test.ts has it.
        if (full === '/api/v1/image-files') continue;
        routes += 1;
        expect(await status(method.toUpperCase(), full), `${method} ${full}`).toBe(401);
      }
    }
    expect(routes).toBeGreaterThan(30);
    const spellings = [
      ['/API/v1/machines', '/api/V1/MACHINES', '/api/v1/machines/', '/api//v1/machines', '//api/v1/machines'],
      ['/%61pi/v1/machines', '/api%2fv1%2fmachines', '/api/v1/./machines', '/agent/v1/../../api/v1/machines'],
      ['/boot/../api/v1/machines', '/api/v1/events/stream?', '/api/v1/events/stream/', '/api/v1/tokens?x=/healthz'],
      [
        'http://localhost/api/v1/machines',
        '/healthz/../api/v1/tokens',
        '/api/v1/machines;.css',
        '/.%2e/api/v1/machines',
      ],
    ].flat();
    for (const path of spellings) expect([400, 401, 403, 404], path).toContain(await status('GET', path));
  });

  test('a token made through the API works until it is removed, and is shown once', async () => {
    const made = await api.json('POST', '/api/v1/tokens', { name: 'ci' });
    expect(made).toMatchObject({ status: 201, body: { name: 'ci', token: expect.stringMatching(/^[\w-]{43}$/) } });
    const { token } = made.body as { token: string };
    const asCi = (): Promise<Response> =>
      fetch(`${api.url}/api/v1/tokens`, { headers: { authorization: `Bearer ${token}` } });
    expect(await (await asCi()).json()).toEqual({ items: [{ name: 'ci', createdAt: '1970-01-01T00:16:40.000Z' }] });
    expect(await api.json('POST', '/api/v1/tokens', { name: 'ci' })).toMatchObject({ status: 409 });
    expect((await api.core.store.load()).tokens).toMatchObject([{ name: 'ci' }]);
    expect((await api.json('DELETE', '/api/v1/tokens/ci')).status).toBe(204);
    expect((await asCi()).status).toBe(401);
    expect((await api.json('DELETE', '/api/v1/tokens/ci')).status).toBe(404);
    expect((await api.json('DELETE', '/api/v1/tokens/admin')).body).toMatchObject({ error: { code: 'conflict' } });
    expect((await api.core.store.load()).tokens).toEqual([]);
  });
});

describe('failures', () => {
  test('an unknown API path is a JSON 404', async () => {
    for (const path of ['/api/v1/nothing', '/api/v2', '/api', '/elsewhere']) {
      expect(await api.json('GET', path)).toMatchObject({ status: 404, body: { error: { code: 'not_found' } } });
    }
    expect(await api.json('DELETE', '/api/v1/leases')).toMatchObject({ status: 404 });
  });

  const malformed: readonly (readonly [string, string, string])[] = [
    ['a word', '{"name": ci}', 'line 1, column 10'],
    ['a comma too much', '{"name": "ci",\n}', 'line 2, column 1'],
    ['an end too early', '{"name": ', 'line 1, column 10'],
    ['text after the end', '{"name": "ci"} x', 'line 1, column 16'],
    ['a list that is not closed', '{"name": ["a", "b"\n\n}', 'line 3, column 1'],
    ['a newline in a string', '{"name": "a\nb"}', 'line 1, column 10'],
    ['a key without quotes', '{name: "ci"}', 'line 1, column 2'],
    ['a number with a leading zero', '{"name": 01}', 'line 1, column 11'],
  ];
  test.each(malformed)('malformed JSON names its place: %s', async (_name, text, place) => {
    expect(await api.json('POST', '/api/v1/tokens', text)).toMatchObject({
      status: 400,
      body: { error: { code: 'invalid', field: place, message: expect.stringContaining('malformed JSON') } },
    });
  });

  test('what does not fit names its field', async () => {
    const bad: readonly (readonly [unknown, string | undefined])[] = [
      [{ name: 'Not Good' }, 'name'],
      [{}, 'name'],
      [{ name: 'ci', extra: 1 }, 'extra'],
      [[], undefined],
      ['', undefined],
    ];
    for (const [body, field] of bad) {
      const { status, body: answer } = await api.json('POST', '/api/v1/tokens', body);
      expect(status).toBe(400);
      expect((answer as { error: { field?: string } }).error.field).toBe(field);
    }
  });

  test('a body over the limit is refused with the limit', async () => {
    expect(await api.json('POST', '/api/v1/tokens', ' '.repeat(1 << 21))).toMatchObject({
      status: 400,
      body: { error: { code: 'invalid', message: expect.stringContaining('1048576 bytes') } },
    });
  });

  test('a broken escape in a path is invalid', async () => {
    expect(await api.json('GET', '/api/v1/machines/%zz')).toMatchObject({
      status: 400,
      body: { error: { code: 'invalid' } },
    });
  });

  test('a store that fails is 503, never 404, and reaches the log', async () => {
    await api.core.events.flush();
    await api.core.store.close();
    for (const [method, path, body] of [
      ['GET', '/api/v1/events'],
      ['GET', '/api/v1/boots'],
      ['GET', '/api/v1/boots/unknown'],
      ['POST', '/api/v1/tokens', { name: 'ci' }],
    ] as const) {
      expect(await api.json(method, path, body)).toMatchObject({
        status: 503,
        body: { error: { code: 'unavailable' } },
      });
    }
    expect(api.errors.length).toBe(4);
    expect(api.deps.tokens.list()).toEqual([]);
  });
});

describe('for watchers', () => {
  test('healthz, readyz and metrics need no token', async () => {
    expect(await (await fetch(`${api.url}/healthz`)).text()).toBe('ok\n');
    expect((await fetch(`${api.url}/readyz`)).status).toBe(200);
    api.missing.push('DHCP does not listen on br0');
    const response = await fetch(`${api.url}/readyz`);
    expect(response.status).toBe(503);
    expect(await response.text()).toBe('not ready: DHCP does not listen on br0\n');
  });

  test('metrics count events, machines and leases', async () => {
    api.core.dora('pxe');
    await api.core.events.flush();
    api.leases.push(
      {
        address: parseIpv4('10.77.0.100'),
        mac: '52:54:00:00:00:01' as never,
        state: 'active',
        startedAt: 0,
        expiresAt: 5000,
      },
      { address: 2 as never, mac: '52:54:00:00:00:02' as never, state: 'active', startedAt: 0, expiresAt: 10 },
    );
    const response = await fetch(`${api.url}/metrics`);
    const text = await response.text();
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(text).toMatch(/^anybios_events_total\{source="dhcp",kind="dhcp\.[a-z]+",level="info"\} [1-9]/m);
    expect(text).toContain('anybios_machines{status="booting"} 1\n');
    expect(text).toContain('anybios_machines{status="up"} 0\n');
    expect(text).toContain('anybios_leases{state="active"} 1\n');
    expect(text).toContain('anybios_leases{state="expired"} 1\n');
    expect(text).toContain('anybios_pool_addresses{subnet="10.77.0.0/24"} 20\n');
    expect(text).toContain('anybios_pool_used{subnet="10.77.0.0/24"} 1\n');
    // Exposition format 0.0.4: every line is a comment or `name{labels} number`.
    for (const line of text.trimEnd().split('\n')) {
      expect(line).toMatch(/^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{([a-z_]+="[^"]*",?)+\})? [0-9.e+-]+)$/);
    }
  });
});
