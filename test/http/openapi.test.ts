import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApp } from '../../server/http/app.js';
import { startApi, type TestApi } from '../support/api.js';

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
