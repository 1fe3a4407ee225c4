import { z } from 'zod';
import type { MachineView } from '../boot/views.js';
import { machineToJson } from '../desired/resource-json.js';
import { machineSchema as machineForm } from '../desired/schemas.js';
import { BOOT_STAGES, type BootSession } from '../domain/boot-session.js';
import { formatIpv4 } from '../domain/ipv4.js';
import { DRIFT_ENDS, DRIFTS } from '../domain/machine.js';
import { LOADERS } from '../domain/role.js';
import { iso, isoSchema } from './iso.js';

export const MACHINE_STATUSES = [
  'discovered',
  'waiting',
  'approved',
  'booting',
  'up',
  'lost',
  'unmanaged',
  'off',
] as const;

const SYSTEM_STATES = ['starting', 'running', 'paused', 'stopped', 'failed', 'handed-over', 'unknown'] as const;

/** One difference between what a machine shall be and what it is. */
export const driftSchema = z
  .object({
    what: z.enum(DRIFTS),
    system: z.string().optional().meta({ description: 'Absent: the machine itself.' }),
    reason: z.string(),
    ends: z.enum(DRIFT_ENDS).meta({
      description:
        'What ends it: `live` = its heartbeats, without a reboot; `reboot`; `job` = one that somebody asks for; `wait` = its return, or a correction.',
    }),
    remedy: z.string(),
  })
  .meta({ id: 'Drift' });

/** One boot session as the API shows it: inside its machine, and in /boots. */
export const bootSchema = z
  .object({
    session: z.string(),
    key: z.string().meta({ description: 'Machine name, or MAC of a machine not known when it booted.' }),
    mac: z.string(),
    machine: z.string().optional(),
    address: z.string().optional(),
    firmware: z.string(),
    arch: z.number().optional().meta({ description: 'DHCP option 93.' }),
    stage: z.enum(BOOT_STAGES),
    outcome: z.enum(['running', 'succeeded', 'failed', 'stalled']),
    diagnosis: z.object({ name: z.string(), message: z.string(), remedy: z.string() }).optional(),
    progress: z
      .object({
        file: z.string(),
        bytes: z.number(),
        total: z.number(),
        place: z.number().optional().meta({ description: 'In the queue of large downloads, from 1.' }),
        waiting: z.number().optional().meta({ description: 'How many machines wait in it.' }),
      })
      .optional()
      .meta({ description: 'What is being loaded now, in bytes.' }),
    stages: z.partialRecord(z.enum(BOOT_STAGES), isoSchema).meta({ description: 'When each stage was entered.' }),
    openedAt: isoSchema,
    lastStepAt: isoSchema,
    closedAt: isoSchema.optional(),
  })
  .meta({ id: 'Boot' });

const placeSchema = z
  .object({
    role: z.string(),
    holder: z.string(),
    since: isoSchema.optional(),
    why: z.string().optional(),
    handing: z.object({ to: z.string(), by: z.string(), at: isoSchema }).optional(),
    leaseSeconds: z.number(),
    spares: z.array(z.object({ name: z.string(), unfit: z.string().optional() })),
  })
  .meta({ description: 'Of a machine whose role has spares: who holds that role now.' });

/** A machine: what was written of it (desired) and what it showed (observed). */
export const machineSchema = z
  .object({
    name: z.string().meta({ description: 'For a machine that is only discovered: its MAC.' }),
    known: z.boolean().meta({ description: 'false = only discovered.' }),
    status: z.enum(MACHINE_STATUSES),
    macs: z.array(z.string()),
    uuid: z.string().optional(),
    serial: z.string().optional(),
    address: z.string().optional().meta({ description: 'The reserved address.' }),
    currentAddress: z.string().optional().meta({ description: 'The address it has now.' }),
    role: z.string().optional().meta({ description: 'What it has now: its own, or that of `standsFor`.' }),
    standsFor: z.string().optional().meta({ description: 'The machine whose role it has taken over.' }),
    standby: z.string().optional().meta({ description: 'The role that it waits for as a spare.' }),
    place: placeSchema.optional(),
    labels: z.record(z.string(), z.string()),
    clientId: z.string().optional().meta({ description: 'DHCP option 61 that tells it.' }),
    relay: z
      .object({ circuitId: z.string().optional(), remoteId: z.string().optional() })
      .optional()
      .meta({ description: 'The port (option 82) that tells it.' }),
    loader: z.enum(LOADERS).optional(),
    options: machineForm.shape.options,
    bootFiles: z.record(z.string(), z.string()).optional(),
    arch: z.number().optional(),
    secureBoot: z.enum(['on', 'off', 'none']).optional(),
    proxyStyle: z
      .enum(['first-offer', 'second-leg'])
      .optional()
      .meta({ description: 'Proxy mode: how the boot file is offered to its ROM.' }),
    proxyStyleProven: z.boolean().optional().meta({ description: 'It has fetched a boot loader after such an offer.' }),
    inventory: z.record(z.string(), z.string()).optional(),
    firstSeenAt: isoSchema.optional(),
    lastSeenAt: isoSchema.optional(),
    approvedAt: isoSchema.optional(),
    upSince: isoSchema.optional(),
    heartbeatAt: isoSchema.optional(),
    boot: bootSchema.optional().meta({ description: 'Its newest boot session.' }),
    systems: z.array(
      z.object({
        name: z.string(),
        state: z.enum(SYSTEM_STATES),
        restarts: z.number(),
        message: z.string().optional(),
      }),
    ),
    desired: z
      .object({
        role: z.string(),
        profile: z.string(),
        mode: z.enum(['resident', 'single']),
        systems: z.array(z.string()).meta({ description: 'In start order.' }),
      })
      .optional()
      .meta({ description: 'What its role says it shall be; absent: no role.' }),
    drift: z.array(driftSchema).meta({ description: 'What differs from that now. What is on its way is not listed.' }),
    changing: z.boolean().meta({ description: 'It was told to change while it runs and is not done.' }),
  })
  .meta({ id: 'Machine' });

export function machineResource(view: MachineView): z.input<typeof machineSchema> {
  const { machine, observed, session } = view;
  return {
    name: view.key,
    known: machine !== undefined,
    status: view.status,
    macs: machine === undefined ? (observed === undefined ? [] : [observed.mac]) : [...machine.macs],
    uuid: machine?.uuid ?? observed?.uuid,
    serial: machine?.serial ?? observed?.inventory?.serial,
    address: machine?.address === undefined ? undefined : formatIpv4(machine.address),
    currentAddress: view.address === undefined ? undefined : formatIpv4(view.address),
    role: machine?.role,
    standsFor: machine?.standsFor?.name,
    standby: machine?.standby,
    place: placeResource(view.place),
    labels: machine?.labels ?? {},
    clientId: machine?.clientId,
    relay: machine?.relay,
    loader: machine?.loader,
    options: machine === undefined ? undefined : machineToJson(machine).options,
    bootFiles: machine?.bootFiles,
    arch: observed?.arch,
    secureBoot: observed?.secureBoot,
    proxyStyle: observed?.proxyStyle,
    proxyStyleProven: observed?.proxyStyleProven,
    inventory: observed?.inventory,
    firstSeenAt: iso(observed?.firstSeenAt),
    lastSeenAt: iso(observed?.lastSeenAt),
    approvedAt: iso(observed?.approvedAt),
    upSince: iso(observed?.upSince),
    heartbeatAt: iso(observed?.heartbeatAt),
    boot: session === undefined ? undefined : bootResource(session),
    systems: view.systems.map(({ name, state, restarts, message }) => ({ name, state, restarts, message })),
    desired: view.desired === undefined ? undefined : { ...view.desired, systems: [...view.desired.systems] },
    drift: view.drift.map((drift) => ({ ...drift })),
    changing: view.changing,
  };
}

function placeResource(place: MachineView['place']): z.input<typeof placeSchema> | undefined {
  if (place === undefined) return undefined;
  const { since, handing, spares, ...rest } = place;
  return {
    ...rest,
    since: iso(since),
    handing: handing === undefined ? undefined : { ...handing, at: iso(handing.at) },
    spares: spares.map((spare) => ({ ...spare })),
  };
}

export function bootResource(session: BootSession): z.input<typeof bootSchema> {
  const stages: Partial<Record<(typeof BOOT_STAGES)[number], string>> = {};
  for (const stage of BOOT_STAGES) {
    const at = session.stages[stage];
    if (at !== undefined) stages[stage] = iso(at);
  }
  return {
    session: session.id,
    key: session.key,
    mac: session.mac,
    machine: session.machine,
    address: session.address === undefined ? undefined : formatIpv4(session.address),
    firmware: session.firmware,
    arch: session.arch,
    stage: session.stage,
    outcome: session.outcome,
    diagnosis: session.diagnosis,
    progress: session.progress,
    stages,
    openedAt: iso(session.openedAt),
    lastStepAt: iso(session.lastStepAt),
    closedAt: iso(session.closedAt),
  };
}
