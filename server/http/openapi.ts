import { OpenAPIRegistry, OpenApiGeneratorV31, type RouteConfig } from '@asteasolutions/zod-to-openapi';
import { z } from 'zod';
import { errorSchema } from './errors.js';
import type { Route } from './route.js';

/** Where the API lives. */
export const API_BASE = '/api/v1';

type Document = ReturnType<OpenApiGeneratorV31['generateDocument']>;

/** The description of the API, made from the very routes that are mounted. */
export function openApiDocument(routes: readonly Route[], version: string): Document {
  const registry = new OpenAPIRegistry();
  registry.registerComponent('securitySchemes', 'token', { type: 'http', scheme: 'bearer' });
  for (const route of routes) registry.registerPath(describe(route));
  return new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: '3.1.0',
    info: {
      title: 'anybios',
      version,
      description:
        'Desired and observed state of netbooting machines. Times are ISO 8601 in UTC. In PATCH an absent key is left ' +
        'as it is and null clears it; PUT replaces the whole object.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: API_BASE }],
    security: [{ token: [] }],
  });
}

function describe(route: Route): RouteConfig {
  const { method, path, summary, body, answer } = route;
  const content =
    body.kind === 'json'
      ? { 'application/json': { schema: body.described ?? body.schema } }
      : body.kind === 'text'
        ? Object.fromEntries(body.types.map((type) => [type, { schema: z.string() }]))
        : { 'application/octet-stream': { schema: { type: 'string' as const, format: 'binary' } } };
  const request = {
    params: route.params,
    query: route.query,
    ...(body.kind === 'none' ? {} : { body: { required: true, content } }),
  };
  return {
    method,
    path,
    summary,
    ...(route.description === undefined ? {} : { description: route.description }),
    tags: [path.split('/')[1] ?? ''],
    request,
    responses: {
      ...success(answer),
      default: {
        description:
          'Failure: 400 invalid, 401 unauthorized, 404 not_found, 409 conflict, 500 internal, 503 unavailable',
        content: { 'application/json': { schema: errorSchema } },
      },
    },
  };
}

function success(answer: Route['answer']): RouteConfig['responses'] {
  switch (answer.kind) {
    case 'none':
      return { 204: { description: 'Done' } };
    case 'json':
      return {
        [answer.status ?? 200]: {
          description: 'Done',
          content: { 'application/json': { schema: answer.described ?? answer.schema } },
        },
      };
    case 'text':
    case 'stream':
      return { 200: { description: 'Done', content: { [answer.type]: { schema: z.string() } } } };
  }
}
