import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApp } from '../../server/http/app.js';
import { startApi, type TestApi } from '../support/api.js';
import { answerFaults, type OpenApi } from '../support/openapi-check.js';

type Operation = {
  summary?: string;
  parameters?: { name: string; in: string; required?: boolean }[];
  requestBody?: { content: Record<string, { schema?: object }> };
  responses: Record<string, { content?: Record<string, { schema?: object }> }>;
};
type Document = {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object>; securitySchemes: object };
};

let api: TestApi;
let document: Document;
beforeAll(async () => {
  api = await startApi();
  const { status, body } = await api.json('GET', '/api/v1/openapi.json');
  expect(status).toBe(200);
  document = body as Document;
});
afterAll(() => api.close());

/** Every route of an express app, wherever it is mounted. */
function routesIn(stack: unknown): string[] {
  if (!Array.isArray(stack)) return [];
  return stack.flatMap((layer: { route?: { path: string; methods: object }; handle?: { stack?: unknown } }) =>
    layer.route === undefined
      ? routesIn(layer.handle?.stack)
      : Object.keys(layer.route.methods).map((method) => `${method} ${layer.route?.path}`),
  );
}

test('describes exactly the routes that are mounted', () => {
  // Not part of the API: for watchers, and the description itself.
  const others = ['get /healthz', 'get /readyz', 'get /metrics', 'get /api/v1/openapi.json'];
  const { stack } = createApp(api.deps).router;
  const mounted = routesIn(stack)
    .filter((name) => !others.includes(name))
    .map((name) => name.replace(/:(\w+)/g, '{$1}'));
  expect(mounted.length).toBe(routesIn(stack).length - others.length);
  const described = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method} ${path}`),
  );
  expect(described.sort()).toEqual(mounted.sort());
  expect(new Set(mounted).size).toBe(mounted.length);
});

test('every route answers: none is described and then not found as a route', async () => {
  for (const [path, item] of Object.entries(document.paths)) {
    for (const method of Object.keys(item)) {
      // An upload needs an image store; the stream does not end.
      if (path === '/events/stream' || path === '/image-files') continue;
      const response = await api.call(method.toUpperCase(), `/api/v1${path.replace(/\{\w+\}/g, 'x')}`);
      const { status } = response;
      expect(`${method} ${path} ${await response.text()}`).not.toMatch(/there is no [A-Z]+ \/api/);
      expect(status, `${method} ${path}`).toBeLessThan(500);
    }
  }
});

test('every operation has a summary, its path parameters, a schema for every body, and the error form', () => {
  for (const [path, item] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      const where = `${method} ${path}`;
      expect(operation.summary, where).toMatch(/^.{10,}/);
      for (const name of path.match(/(?<=\{)\w+(?=\})/g) ?? []) {
        expect(operation.parameters, where).toContainEqual(
          expect.objectContaining({ name, in: 'path', required: true }),
        );
      }
      const contents = [operation.requestBody, ...Object.values(operation.responses)].map(
        (part) => part?.content ?? {},
      );
      for (const content of contents.flatMap((part) => Object.values(part)))
        expect(content.schema, where).toBeDefined();
      expect(operation.responses.default?.content?.['application/json']?.schema).toEqual({
        $ref: '#/components/schemas/Error',
      });
    }
  }
});

test('names its resources once', () => {
  expect(Object.keys(document.components.schemas)).toEqual(
    expect.arrayContaining(['Boot', 'Error', 'Event', 'Explanation', 'Image', 'Lease', 'Machine', 'Profile', 'Token']),
  );
});

describe('the check that every answer in these tests goes through', () => {
  const good = { id: 'j', machine: 'node1', kind: 'exec', timeoutSeconds: 1, by: 'admin', state: 'queued' };
  const times = { createdAt: '2026-01-01T00:00:00.000Z', expiresAt: '2026-01-01T00:00:00.000Z' };
  const job = { ...good, ...times };
  const check = (status: number, body: unknown, path = '/api/v1/machines/node1/jobs', method = 'POST'): string[] =>
    answerFaults(document as unknown as OpenApi, method, path, status, body);

  test('lets an answer pass that is as described', () => {
    expect(check(202, job)).toEqual([]);
    expect(check(200, { items: [job] }, '/api/v1/jobs?limit=1', 'GET')).toEqual([]);
    expect(check(404, { error: { code: 'not_found', message: 'no' } })).toEqual([]);
  });

  test('notices what is not', () => {
    const { by: _by, ...without } = job;
    expect(check(202, without)).toEqual(['answer.by: is missing']);
    expect(check(202, { ...job, extra: 1 })).toEqual(['answer.extra: is not described']);
    expect(check(202, { ...job, state: 'waiting' })).toEqual(['answer.state: waiting is not in the enum']);
    expect(check(202, { ...job, createdAt: 'today' })).toEqual(['answer.createdAt: is no date-time']);
    expect(check(202, { ...job, command: ['ls', 1] })).toEqual(['answer.command[1]: is not string']);
    expect(check(201, job)).toEqual(['status 201 is not described']);
    expect(check(200, [job], '/api/v1/jobs', 'GET')).toEqual(['answer: is not object']);
    expect(check(404, { error: { code: 'gone', message: 'no' } })).toEqual([
      'answer.error.code: gone is not in the enum',
    ]);
  });
});
