import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { z } from 'zod';
import { selectMachines } from '../decide/machine-select.js';
import { invalid } from '../domain/errors.js';
import { JOB_KINDS, JOB_STATES, type Job } from '../domain/job.js';
import type { ApiDeps } from './api-deps.js';
import { streamJobOutput } from './job-output-stream.js';
import { jobResource, jobSchema, jobWithOutputSchema } from './job-resource.js';
import { findMachine } from './machine-lookup.js';
import { listOf, nameParams, type Route, route } from './route.js';

/** Of a transaction id: what a machine takes for a file name (docs/control.md). */
const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const id = z
  .string()
  .regex(ID, { error: 'an id has 1 to 64 letters, digits, . _ -, and begins with a letter or digit' });
const idParams = z.object({ id: z.string().min(1).max(64) });
const limit = (most: number) => z.union([z.number().positive().max(most), z.literal('none')]);

const wishShape = {
  id: id.optional().meta({ description: 'Transaction id: the same id is the same job, sent once. Made when absent.' }),
  kind: z.enum(JOB_KINDS),
  system: z.string().max(63).optional().meta({ description: 'Absent: the machine itself.' }),
  command: z
    .array(z.string())
    .max(4096)
    .optional()
    .meta({ description: 'exec: program and arguments; no shell is involved.' }),
  memoryBytes: limit(2 ** 50).optional(),
  cpus: limit(4096).optional(),
  lines: z.number().int().min(0).max(99_999).optional(),
  follow: z.boolean().optional(),
  to: z.string().max(200).optional().meta({
    description: 'move: the machine that gets the role, with what its systems have written on labelled disks.',
  }),
  timeoutSeconds: z.number().int().min(1).max(86_400).optional(),
  expirySeconds: z
    .number()
    .int()
    .min(1)
    .max(30 * 86_400)
    .optional()
    .meta({ description: 'How long it may wait for a machine that cannot be reached.' }),
};
const terminalShape = {
  columns: z.number().int().min(1).max(1000).default(80),
  rows: z.number().int().min(1).max(1000).default(24),
};
const one = z.strictObject({
  ...wishShape,
  ...terminalShape,
  term: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9+._-]{0,62}$/)
    .default('xterm'),
});
const many = z.strictObject({
  ...wishShape,
  machines: z
    .strictObject({
      names: z.array(z.string().min(1).max(200)).min(1).max(10_000).optional(),
      role: z.string().optional(),
      labels: z.record(z.string(), z.string()).optional(),
      all: z.boolean().optional(),
    })
    .meta({ description: 'All conditions must hold. Names may be ranges: node[1-20], node[01-20], node[1,3,7-9].' }),
});

/** Keys of a console in one request. */
const INPUT_LIMIT_BYTES = 64 * 1024;

export function jobRoutes(deps: Pick<ApiDeps, 'jobs' | 'state' | 'boot' | 'closing' | 'newId'>): Route[] {
  const { jobs, state, newId } = deps;
  return [
    route({
      method: 'post',
      path: '/machines/{name}/jobs',
      summary: 'Asks one machine to do something',
      description: 'A machine that cannot be reached gets the job later, until it expires.',
      params: nameParams,
      body: { kind: 'json', schema: one },
      answer: { kind: 'json', schema: jobSchema, status: 202 },
      handle: async ({ params, body, by }) => {
        const { id, expirySeconds, columns, rows, term, ...wish } = body;
        const { key } = findMachine(deps, params.name);
        const terminal = wish.kind === 'console' ? { columns, rows, term } : undefined;
        return jobResource(await jobs.submit(key, wish, { id, expirySeconds, terminal, by }));
      },
    }),
    route({
      method: 'post',
      path: '/jobs',
      summary: 'Asks many machines to do the same: one job for each',
      description: 'The id, if given, is the one of the batch: the same id again gives the same jobs.',
      body: { kind: 'json', schema: many },
      answer: { kind: 'json', schema: z.object({ batch: z.string(), items: z.array(jobSchema) }), status: 202 },
      handle: async ({ body, by }) => {
        const { id, expirySeconds, machines, ...wish } = body;
        if (wish.kind === 'console') throw invalid('a console is of one machine', { field: 'kind' });
        const { names, role, labels, all } = machines;
        const selected = selectMachines(state.machines, {
          ...(names === undefined ? {} : { names }),
          ...(role === undefined ? {} : { role }),
          ...(labels === undefined ? {} : { labels }),
          ...(all === undefined ? {} : { all }),
        });
        if (wish.kind === 'move' && selected.length > 1)
          throw invalid(`a move is of one machine, and ${selected.length} were chosen`, { field: 'machines' });
        const batch = id ?? newId();
        const items = await jobs.submitMany(
          selected.map(({ name }) => name),
          wish,
          { id: batch, batch, expirySeconds, by },
          (machine) => idInBatch(batch, machine),
        );
        return { batch, items: items.map(jobResource) };
      },
    }),
    route({
      method: 'get',
      path: '/jobs',
      summary: 'Jobs, newest first',
      query: z.strictObject({
        machine: z.string().optional(),
        batch: z.string().optional(),
        state: z.enum(JOB_STATES).optional(),
        next: z.coerce.number().int().nonnegative().optional(),
        limit: z.coerce.number().int().min(1).max(1000).default(100),
      }),
      answer: { kind: 'json', schema: listOf(jobSchema) },
      handle: async ({ query }) => {
        const { items, next } = await jobPage(jobs, query);
        return { items: items.map(jobResource), ...(next === undefined ? {} : { next: String(next) }) };
      },
    }),
    route({
      method: 'get',
      path: '/jobs/{id}',
      summary: 'One job with its output',
      params: idParams,
      answer: { kind: 'json', schema: jobWithOutputSchema },
      handle: async ({ params }) => {
        const { job, output } = await jobs.get(params.id);
        return { ...jobResource(job), output };
      },
    }),
    route({
      method: 'get',
      path: '/jobs/{id}/output',
      summary: 'What a job writes, as it comes, until it ends',
      params: idParams,
      answer: { kind: 'stream', type: 'application/octet-stream' },
      handle: async ({ params, response }) => {
        await streamJobOutput(jobs, params.id, response, deps.closing);
        return undefined;
      },
    }),
    route({
      method: 'post',
      path: '/jobs/{id}/cancel',
      summary: 'Ends a job: one that was not sent is not, a command that runs is killed',
      params: idParams,
      answer: { kind: 'json', schema: jobSchema },
      handle: async ({ params, by }) => jobResource(await jobs.cancel(params.id, by)),
    }),
    route({
      method: 'post',
      path: '/jobs/{id}/input',
      summary: 'Keys for a console',
      params: idParams,
      body: { kind: 'bytes' },
      answer: { kind: 'none' },
      handle: async ({ params, request }) => {
        if (Number(request.headers['content-length'] ?? Number.NaN) > INPUT_LIMIT_BYTES)
          throw invalid(`more than ${INPUT_LIMIT_BYTES} bytes at once`);
        jobs.input(params.id, await buffer(request));
        return undefined;
      },
    }),
    route({
      method: 'post',
      path: '/jobs/{id}/resize',
      summary: 'The new size of a console’s terminal',
      params: idParams,
      body: { kind: 'json', schema: z.strictObject({ columns: terminalShape.columns, rows: terminalShape.rows }) },
      answer: { kind: 'none' },
      handle: async ({ params, body }) => {
        await jobs.resize(params.id, body.columns, body.rows);
        return undefined;
      },
    }),
  ];
}

/** The same for the same batch and machine: a batch that is sent again finds its jobs. */
function idInBatch(batch: string, machine: string): string {
  return createHash('sha256').update(`${batch}\n${machine}`).digest('hex').slice(0, 16);
}

/** Jobs of one batch have one time: they stay on one page, because `before` could not tell them apart. */
async function jobPage(
  jobs: ApiDeps['jobs'],
  query: {
    readonly machine?: string | undefined;
    readonly batch?: string | undefined;
    readonly state?: Job['state'] | undefined;
    readonly next?: number | undefined;
    readonly limit: number;
  },
): Promise<{ readonly items: readonly Job[]; readonly next?: number }> {
  const { machine, batch, state, next: before, limit } = query;
  const filter = {
    ...(machine === undefined ? {} : { machine }),
    ...(batch === undefined ? {} : { batch }),
    ...(state === undefined ? {} : { state }),
    ...(before === undefined ? {} : { before }),
  };
  for (let size = limit; ; size *= 2) {
    const found = await jobs.list({ ...filter, limit: size + 1 });
    const beyond = found[size];
    if (beyond === undefined) return { items: found };
    const items = found.slice(0, size).filter((job) => job.createdAt > beyond.createdAt);
    if (items.length > 0) return { items, next: beyond.createdAt + 1 };
  }
}
