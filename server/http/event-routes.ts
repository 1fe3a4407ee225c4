import { z } from 'zod';
import { invalid } from '../domain/errors.js';
import { parseMac } from '../domain/mac.js';
import type { ApiDeps } from './api-deps.js';
import { EVENT_LEVELS, EVENT_SOURCES, eventResource, eventSchema } from './event-resource.js';
import { streamEvents } from './event-stream.js';
import { listOf, type Route, route } from './route.js';

const sequence = z.coerce.number().int().nonnegative();
const filters = {
  session: z.string().optional(),
  machine: z.string().optional(),
  mac: z
    .string()
    .optional()
    .transform((text) => (text === undefined ? undefined : parseMac(text))),
  source: z.enum(EVENT_SOURCES).optional(),
  level: z.enum(EVENT_LEVELS).optional(),
};

export function eventRoutes(deps: Pick<ApiDeps, 'store' | 'events' | 'closing'>): Route[] {
  return [
    route({
      method: 'get',
      path: '/events',
      summary: 'Events, oldest first; `order=newest` gives the last ones, newest first',
      query: z.strictObject({
        ...filters,
        next: sequence.optional().meta({ description: 'Only events with a larger sequence.' }),
        limit: z.coerce.number().int().min(1).max(1000).default(200),
        order: z.enum(['oldest', 'newest']).default('oldest'),
      }),
      answer: { kind: 'json', schema: listOf(eventSchema) },
      handle: async ({ query }) => {
        const { next, limit, order, ...wanted } = query;
        const newestFirst = order === 'newest';
        const filter = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined));
        const after = next === undefined ? {} : { after: next };
        const found = await deps.store.events({ ...filter, ...after, limit, newestFirst });
        const last = found.at(-1);
        const more = !newestFirst && found.length === limit && last !== undefined;
        return { items: found.map(eventResource), ...(more ? { next: String(last.sequence) } : {}) };
      },
    }),
    route({
      method: 'get',
      path: '/events/stream',
      summary: 'Events as they happen (server-sent events)',
      description:
        'Each event is `id: SEQUENCE` and `data: EVENT as JSON`. The header `Last-Event-ID` (or `after`) resumes behind that ' +
        'event; without it the stream begins now. A comment line every 15 s keeps the connection open.',
      query: z.strictObject({ ...filters, after: sequence.optional() }),
      answer: { kind: 'stream', type: 'text/event-stream' },
      handle: async ({ query, request, response }) => {
        const { after, ...filter } = query;
        const header = request.get('last-event-id');
        if (header !== undefined && !/^\d{1,15}$/.test(header)) {
          throw invalid(`"${header.slice(0, 40)}" is not the id of an event`, {
            field: 'Last-Event-ID',
            remedy: 'send the number of the last event received, or nothing',
          });
        }
        await streamEvents(response, {
          ...deps,
          filter,
          after: header === undefined ? after : Number(header),
        });
        return undefined;
      },
    }),
  ];
}
