import { z } from 'zod';
import type { BootEvent, Json } from '../domain/event.js';
import { iso, isoSchema } from './iso.js';

export const EVENT_SOURCES = ['dhcp', 'tftp', 'http', 'stage1', 'live', 'api', 'server'] as const;
export const EVENT_LEVELS = ['info', 'warning', 'error'] as const;

export const eventSchema = z
  .object({
    sequence: z.number().meta({ description: 'Grows by one per event; the id of the event in /events/stream.' }),
    at: isoSchema,
    source: z.enum(EVENT_SOURCES),
    kind: z.string().meta({ example: 'dhcp.offer' }),
    level: z.enum(EVENT_LEVELS),
    session: z.string().optional(),
    machine: z.string().optional(),
    mac: z.string().optional(),
    message: z.string(),
    data: z.record(z.string(), z.custom<Json>()).meta({ type: 'object' }),
  })
  .meta({ id: 'Event' });

export function eventResource(event: BootEvent): z.input<typeof eventSchema> {
  return { ...event, at: iso(event.at), data: { ...event.data } };
}
