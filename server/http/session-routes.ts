import { z } from 'zod';
import type { BootSession } from '../domain/boot-session.js';
import { notFound } from '../domain/errors.js';
import type { ApiDeps } from './api-deps.js';
import { eventResource, eventSchema } from './event-resource.js';
import { bootResource, bootSchema } from './machine-resource.js';
import { listOf, type Route, route } from './route.js';

/** Events of one boot that one answer holds; a normal boot has a few dozen. */
const TIMELINE_LIMIT = 1000;

export function sessionRoutes({ store, state }: Pick<ApiDeps, 'store' | 'state'>): Route[] {
  return [
    route({
      method: 'get',
      path: '/boots',
      summary: 'Boot sessions, newest first',
      query: z.strictObject({
        machine: z.string().optional().meta({ description: 'Name, or MAC of a machine that is only discovered.' }),
        next: z.coerce.number().int().nonnegative().optional(),
        limit: z.coerce.number().int().min(1).max(500).default(50),
      }),
      answer: { kind: 'json', schema: listOf(bootSchema) },
      handle: async ({ query }) => {
        const { items, next } = await sessionPage(store, query.machine, query.next, query.limit);
        return { items: items.map(bootResource), ...(next === undefined ? {} : { next: String(next) }) };
      },
    }),
    route({
      method: 'get',
      path: '/boots/{session}',
      summary: 'One boot session with its timeline',
      params: z.object({ session: z.string().min(1).max(100) }),
      query: z.strictObject({ next: z.coerce.number().int().nonnegative().optional() }),
      answer: {
        kind: 'json',
        schema: bootSchema.extend({
          events: z.array(eventSchema),
          next: z.string().optional().meta({ description: 'Send it as ?next= for the events that follow.' }),
        }),
      },
      handle: async ({ params, query }) => {
        const id = params.session;
        // The newest of each machine is fresher in memory: progress is not written at every step.
        const inMemory = Array.from(state.sessions.values()).find((session) => session.id === id);
        const session = inMemory ?? (await store.session(id));
        if (session === undefined) {
          throw notFound(`there is no boot session "${id.slice(0, 40)}"`, { remedy: 'see: anybios boot list' });
        }
        const after = query.next ?? 0;
        const events = await store.events({ session: id, after, limit: TIMELINE_LIMIT });
        const last = events.at(-1);
        return {
          ...bootResource(session),
          events: events.map(eventResource),
          ...(events.length === TIMELINE_LIMIT && last !== undefined ? { next: String(last.sequence) } : {}),
        };
      },
    }),
  ];
}

/**
 * One page by opening time. Sessions that opened in the same millisecond (a rack switched on at once) stay on one page, because
 * `before` could not tell them apart.
 */
async function sessionPage(
  store: ApiDeps['store'],
  key: string | undefined,
  before: number | undefined,
  limit: number,
): Promise<{ readonly items: readonly BootSession[]; readonly next?: number }> {
  const filter = { ...(key === undefined ? {} : { key }), ...(before === undefined ? {} : { before }) };
  for (let size = limit; ; size *= 2) {
    const found = await store.sessions({ ...filter, limit: size + 1 });
    const beyond = found[size];
    if (beyond === undefined) return { items: found };
    const items = found.slice(0, size).filter((session) => session.openedAt > beyond.openedAt);
    if (items.length > 0) return { items, next: beyond.openedAt + 1 };
  }
}
