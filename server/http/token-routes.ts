import { z } from 'zod';
import type { ApiDeps } from './api-deps.js';
import { iso, isoSchema } from './iso.js';
import { listOf, nameParams, type Route, route } from './route.js';

const tokenSchema = z.object({ name: z.string(), createdAt: isoSchema }).meta({ id: 'Token' });
const nameSchema = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'write lower-case letters, digits, ".", "_" or "-"');

export function tokenRoutes({ tokens, events }: Pick<ApiDeps, 'tokens' | 'events'>): Route[] {
  const record = (kind: string, message: string, name: string, by: string): void =>
    events.record({ source: 'api', kind, level: 'info', message, data: { name, by } });
  return [
    route({
      method: 'get',
      path: '/tokens',
      summary: 'API tokens by name (never their text)',
      answer: { kind: 'json', schema: listOf(tokenSchema) },
      handle: () => ({ items: tokens.list().map(({ name, createdAt }) => ({ name, createdAt: iso(createdAt) })) }),
    }),
    route({
      method: 'post',
      path: '/tokens',
      summary: 'Makes a token; its text is in this answer only',
      body: { kind: 'json', schema: z.strictObject({ name: nameSchema }) },
      answer: { kind: 'json', schema: tokenSchema.extend({ token: z.string() }), status: 201 },
      handle: async ({ body, by }) => {
        const { token, createdAt } = await tokens.add(body.name);
        record('token.added', `token ${body.name} was made by ${by}`, body.name, by);
        return { name: body.name, createdAt: iso(createdAt), token };
      },
    }),
    route({
      method: 'delete',
      path: '/tokens/{name}',
      summary: 'Revokes a token at once',
      params: nameParams,
      answer: { kind: 'none' },
      handle: async ({ params, by }) => {
        await tokens.remove(params.name);
        record('token.removed', `token ${params.name} was revoked by ${by}`, params.name, by);
        return undefined;
      },
    }),
  ];
}
