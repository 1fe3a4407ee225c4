import { z } from 'zod';
import { JOB_KINDS, JOB_STATES, type Job, MOVE_PHASES } from '../domain/job.js';
import { iso } from './iso.js';

const time = z.iso.datetime();

/** A job as the API shows it. */
export const jobSchema = z
  .object({
    id: z.string(),
    machine: z.string(),
    batch: z.string().optional().meta({ description: 'Jobs that were asked for together.' }),
    kind: z.enum(JOB_KINDS),
    system: z.string().optional(),
    command: z.array(z.string()).optional(),
    memoryBytes: z.union([z.number(), z.literal('none')]).optional(),
    cpus: z.union([z.number(), z.literal('none')]).optional(),
    lines: z.number().optional(),
    follow: z.boolean().optional(),
    to: z.string().optional().meta({ description: 'move: the machine that gets the role.' }),
    timeoutSeconds: z.number(),
    by: z.string().meta({ description: 'Who asked: the name of the token.' }),
    state: z.enum(JOB_STATES),
    message: z.string().optional().meta({ description: 'Why it failed, or what it waits for.' }),
    exit: z.number().optional().meta({ description: 'Status of the command.' }),
    session: z.string().optional().meta({ description: 'The boot in which it was sent.' }),
    createdAt: time,
    expiresAt: time.meta({ description: 'Not sent by then, it is given up.' }),
    sentAt: time.optional(),
    endedAt: time.optional(),
    outputBytes: z.number().optional().meta({ description: 'How much it wrote.' }),
    truncated: z.boolean().optional().meta({ description: 'Not all of the output is kept.' }),
    move: z
      .object({
        phase: z.enum(MOVE_PHASES),
        role: z.string(),
        system: z.string().optional().meta({ description: 'The one whose storage is copied.' }),
        bytes: z.number().meta({ description: 'Copied, of totalBytes.' }),
        totalBytes: z.number(),
      })
      .optional()
      .meta({ description: 'move: how far it is.' }),
  })
  .meta({ id: 'Job' });

export const jobWithOutputSchema = jobSchema.extend({
  output: z.string().meta({ description: 'The first 64 KiB of what it wrote; of logs the last.' }),
});

export function jobResource(job: Job): z.input<typeof jobSchema> {
  const { createdAt, expiresAt, sentAt, endedAt, acceptedAt: _inside, command, ...rest } = job;
  return {
    ...rest,
    ...(command === undefined ? {} : { command: [...command] }),
    createdAt: iso(createdAt),
    expiresAt: iso(expiresAt),
    ...(sentAt === undefined ? {} : { sentAt: iso(sentAt) }),
    ...(endedAt === undefined ? {} : { endedAt: iso(endedAt) }),
  };
}
