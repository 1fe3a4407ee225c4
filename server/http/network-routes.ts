import { z } from 'zod';
import type { HeardFact } from '../domain/heard-fact.js';
import { formatIpv4 } from '../domain/ipv4.js';
import type { ApiDeps } from './api-deps.js';
import { iso, isoSchema } from './iso.js';
import { type Route, route } from './route.js';

const factSchema = z
  .object({
    kind: z.enum(['server', 'relay', 'network', 'vlan']).meta({
      description:
        'server: another DHCP server; relay; network: a relay of a network that is not configured; vlan: a VLAN interface of this server.',
    }),
    address: z.string().optional(),
    interface: z.string(),
    text: z.string().meta({ description: 'One sentence.' }),
    count: z.number().int(),
    firstSeenAt: isoSchema,
    lastSeenAt: isoSchema,
  })
  .meta({ id: 'HeardFact' });

/** What the DHCP side heard about its networks, in every mode but `off`. */
export function networkRoutes({ heard }: Pick<ApiDeps, 'heard'>): Route[] {
  return [
    route({
      method: 'get',
      path: '/network',
      summary: 'Other DHCP servers, relays and networks that were heard since the start, the newest first',
      description: 'Machines that were heard are among the machines; what is older than the start is in the events.',
      answer: { kind: 'json', schema: z.object({ items: z.array(factSchema) }) },
      handle: () => ({ items: [...(heard?.() ?? [])].sort((a, b) => b.lastSeenAt - a.lastSeenAt).map(resource) }),
    }),
  ];
}

function resource({ address, firstSeenAt, lastSeenAt, ...fact }: HeardFact): z.input<typeof factSchema> {
  const { kind, interface: name, text, count } = fact;
  const times = { firstSeenAt: iso(firstSeenAt), lastSeenAt: iso(lastSeenAt) };
  return {
    kind,
    ...(address === undefined ? {} : { address: formatIpv4(address) }),
    interface: name,
    text,
    count,
    ...times,
  };
}
