import { z } from 'zod';
import { notFound } from '../domain/errors.js';
import { formatIpv4, parseIpv4 } from '../domain/ipv4.js';
import type { Lease } from '../domain/lease.js';
import type { ApiDeps } from './api-deps.js';
import { iso, isoSchema } from './iso.js';
import { exportLeases, LEASE_FORMATS } from './lease-export.js';
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

type LeaseDeps = Pick<ApiDeps, 'leases' | 'releaseLease' | 'subnets' | 'events' | 'state' | 'clock'>;

export function leaseRoutes(deps: LeaseDeps): Route[] {
  const { leases, releaseLease, events, state, clock } = deps;
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
    route({
      method: 'get',
      path: '/leases/export',
      summary: 'All leases that have not ended, as the lease file of another DHCP server',
      description: 'dnsmasq: dnsmasq.leases. kea: the CSV of memfile (Kea 2.2); subnet ids count our subnets from 1.',
      query: z.strictObject({ format: z.enum(LEASE_FORMATS) }),
      answer: { kind: 'text', type: 'text/plain', schema: z.string() },
      handle: ({ query }) => exportLeases(query.format, leases(), deps.subnets, Math.floor(clock() / 1000)),
    }),
    route({
      method: 'delete',
      path: '/leases/{address}',
      summary: 'Ends a lease or a quarantine: the address can be given to another machine',
      description: 'The machine that has it is not told; it keeps using the address until it renews.',
      params: z.object({ address: z.string() }),
      answer: { kind: 'none' },
      handle: async ({ params, by }) => {
        const address = parseIpv4(params.address);
        const lease = await releaseLease(address);
        if (lease === undefined) {
          throw notFound(`there is no lease of ${formatIpv4(address)}`, { remedy: 'see: anybios lease list' });
        }
        const machine = state.machineByMac(lease.mac)?.name;
        events.record({
          source: 'api',
          kind: 'lease.released',
          level: 'info',
          mac: lease.mac,
          ...(machine === undefined ? {} : { machine }),
          message: `the lease of ${formatIpv4(address)} was ended by ${by}`,
          data: { address: formatIpv4(address), by },
        });
        return undefined;
      },
    }),
  ];
}
