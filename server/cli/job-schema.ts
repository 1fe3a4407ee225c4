import { z } from 'zod';

const time = z.iso.datetime().transform((text) => Date.parse(text));

/** What the commands read of a job. */
export const jobSchema = z.object({
  id: z.string(),
  machine: z.string(),
  kind: z.string(),
  system: z.string().optional(),
  command: z.array(z.string()).optional(),
  by: z.string(),
  state: z.string(),
  message: z.string().optional(),
  exit: z.number().optional(),
  createdAt: time,
  truncated: z.boolean().optional(),
});
export type JobAnswer = z.output<typeof jobSchema>;
export const jobWithOutputSchema = jobSchema.extend({ output: z.string() });
export const batchSchema = z.object({ batch: z.string(), items: z.array(jobSchema) });
