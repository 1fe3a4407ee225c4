import { z } from 'zod';
import { AnybiosError } from '../domain/errors.js';
import type { LiveMachine } from './live-view.js';

/*
 * What the commands read of the API's answers: only the fields they show, other fields pass. A server of another version is
 * named as such, not shown as "undefined".
 */

const time = z.iso.datetime().transform((text) => Date.parse(text));

export const bootSchema = z.object({
  session: z.string(),
  key: z.string(),
  mac: z.string(),
  machine: z.string().optional(),
  address: z.string().optional(),
  firmware: z.string(),
  stage: z.string(),
  outcome: z.string(),
  diagnosis: z.object({ name: z.string(), message: z.string(), remedy: z.string() }).optional(),
  progress: z
    .object({
      file: z.string(),
      bytes: z.number(),
      total: z.number(),
      place: z.number().optional(),
      waiting: z.number().optional(),
    })
    .optional(),
  stages: z.record(z.string(), time),
  openedAt: time,
  lastStepAt: time,
  closedAt: time.optional(),
});
export type Boot = z.output<typeof bootSchema>;

export const driftSchema = z.object({
  what: z.string(),
  system: z.string().optional(),
  reason: z.string(),
  ends: z.string(),
  remedy: z.string(),
});
export type DriftAnswer = z.output<typeof driftSchema>;

export const machineSchema = z.object({
  name: z.string(),
  known: z.boolean(),
  status: z.string(),
  macs: z.array(z.string()),
  address: z.string().optional(),
  currentAddress: z.string().optional(),
  role: z.string().optional(),
  standsFor: z.string().optional(),
  standby: z.string().optional(),
  place: z
    .object({
      role: z.string(),
      holder: z.string(),
      since: time.optional(),
      why: z.string().optional(),
      handing: z.object({ to: z.string(), by: z.string() }).optional(),
      leaseSeconds: z.number(),
      spares: z.array(z.object({ name: z.string(), unfit: z.string().optional() })),
    })
    .optional(),
  lastSeenAt: time.optional(),
  boot: bootSchema.optional(),
  systems: z.array(
    z.object({ name: z.string(), state: z.string(), restarts: z.number(), message: z.string().optional() }),
  ),
  desired: z
    .object({ role: z.string(), profile: z.string(), mode: z.string(), systems: z.array(z.string()) })
    .optional(),
  drift: z.array(driftSchema),
  changing: z.boolean(),
});
export type MachineAnswer = z.output<typeof machineSchema>;

export const eventSchema = z.object({
  sequence: z.number(),
  at: time,
  source: z.string(),
  kind: z.string(),
  level: z.string(),
  session: z.string().optional(),
  machine: z.string().optional(),
  mac: z.string().optional(),
  message: z.string(),
});
export type EventAnswer = z.output<typeof eventSchema>;

export const networkSchema = z.object({
  items: z.array(
    z.object({
      kind: z.string(),
      address: z.string().optional(),
      interface: z.string(),
      text: z.string(),
      count: z.number(),
      lastSeenAt: time,
    }),
  ),
});

export const explanationSchema = z.object({
  machine: z.string(),
  lines: z.array(z.object({ what: z.string(), value: z.unknown(), why: z.string() })),
});

/** Reads an answer by a schema. Throws `internal`, naming the field that does not fit. */
export function readAnswer<T extends z.ZodType>(schema: T, answer: unknown, what: string): z.output<T> {
  const result = schema.safeParse(answer);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new AnybiosError('internal', `the server's answer is not understood: ${what} ${issue?.path.join('.') ?? ''}`, {
    remedy: 'use the anybios command of the same version as the server, or add --json to see the answer as it is',
    cause: result.error,
  });
}

/** For the live view. */
export function liveMachineOf(machine: MachineAnswer): LiveMachine {
  return { name: machine.name, status: machine.status, boot: machine.boot, systems: machine.systems };
}
