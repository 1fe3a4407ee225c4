import { z } from 'zod';
import type { Json } from '../domain/event.js';
import type { ApiDeps } from './api-deps.js';
import { findMachine, machinePage } from './machine-lookup.js';
import { MACHINE_STATUSES, machineResource, machineSchema } from './machine-resource.js';
import { listOf, nameParams, type Route, route } from './route.js';

const explanationSchema = z
  .object({
    machine: z.string(),
    lines: z.array(z.object({ what: z.string(), value: z.custom<Json>().meta({ type: 'string' }), why: z.string() })),
  })
  .meta({ id: 'Explanation' });

/** Machines as they are; what changes them is in desired-routes.ts. */
export function machineRoutes(deps: Pick<ApiDeps, 'boot' | 'state'>): Route[] {
  const { boot } = deps;
  return [
    route({
      method: 'get',
      path: '/machines',
      summary: 'Machines, known and discovered, by name',
      query: z.strictObject({
        status: z.enum(MACHINE_STATUSES).optional(),
        role: z.string().optional(),
        next: z.string().optional(),
        limit: z.coerce.number().int().min(1).max(1000).default(200),
      }),
      answer: { kind: 'json', schema: listOf(machineSchema) },
      handle: ({ query: { status, role, next, limit } }) => {
        const page = machinePage(
          boot,
          (view) =>
            (status === undefined || view.status === status) && (role === undefined || view.machine?.role === role),
          limit,
          next,
        );
        const items = page.views.map(machineResource);
        return page.next === undefined ? { items } : { items, next: page.next };
      },
    }),
    route({
      method: 'get',
      path: '/machines/{name}',
      summary: 'One machine by name or MAC: desired, observed, newest boot',
      params: nameParams,
      answer: { kind: 'json', schema: machineSchema },
      handle: ({ params }) => machineResource(findMachine(deps, params.name)),
    }),
    route({
      method: 'get',
      path: '/machines/{name}/explain',
      summary: 'What this machine would be given now, and why each value',
      params: nameParams,
      answer: { kind: 'json', schema: explanationSchema },
      handle: ({ params }) => {
        const { machine, lines } = boot.explain(findMachine(deps, params.name).key);
        return { machine, lines: lines.map((line) => ({ ...line })) };
      },
    }),
  ];
}
