import { z } from 'zod';
import { formatIpv4, parseIpv4 } from '../domain/ipv4.js';
import type { Lease } from '../domain/lease.js';
import type { ApiDeps } from './api-deps.js';
import { iso, isoSchema } from './iso.js';
import { listOf, type Route, route } from './route.js';

const leaseSchema = z
  .object({
    address: z.string(),
    mac: z.string(),
    machine: z.string().optional(),
    hostname: z.string().optional(),
    clientId: z.string().optional().meta({ description: 'Hex of DHCP option 61.' }),
    state: z.enum(['active', 'released', 'declined']),
    expired: z.boolean(),
    startedAt: isoSchema,
    expiresAt: isoSchema,
  })
  .meta({ id: 'Lease' });

export function leaseRoutes({ leases, state, clock }: Pick<ApiDeps, 'leases' | 'state' | 'clock'>): Route[] {
  const resource = (lease: Lease): z.input<typeof leaseSchema> => ({
    address: formatIpv4(lease.address),
    mac: lease.mac,
    machine: state.machineByMac(lease.mac)?.name,
    hostname: lease.hostname,
    clientId: lease.clientId,
    state: lease.state,
    expired: lease.expiresAt * 1000 <= clock(),
    startedAt: iso(lease.startedAt * 1000),
    expiresAt: iso(lease.expiresAt * 1000),
  });
  return [
    route({
      method: 'get',
      path: '/leases',
      summary: 'Addresses that were given, by address',
      query: z.strictObject({
        next: z
          .string()
          .optional()
          .transform((text) => (text === undefined ? undefined : parseIpv4(text, 'next'))),
        limit: z.coerce.number().int().min(1).max(1000).default(500),
      }),
      answer: { kind: 'json', schema: listOf(leaseSchema) },
      handle: ({ query }) => {
        const after = query.next ?? -1;
        const rest = Array.from(leases())
          .filter((lease) => lease.address > after)
          .sort((a, b) => a.address - b.address);
        const items = rest.slice(0, query.limit).map(resource);
        const last = items.at(-1);
        return { items, ...(rest.length > query.limit && last !== undefined ? { next: last.address } : {}) };
      },
    }),
  ];
}
