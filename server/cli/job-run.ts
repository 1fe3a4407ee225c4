import { setTimeout as delay } from 'node:timers/promises';
import { readAnswer } from './api-schema.js';
import type { Cli } from './cli.js';
import type { ApiClient } from './client.js';
import { Unreachable } from './failure.js';
import { batchSchema, type JobAnswer, jobSchema, jobWithOutputSchema } from './job-schema.js';
import { listAll } from './paging.js';
import { printable } from './terminal/text.js';

/** Body of `POST /jobs`. */
export type WishedJob = { readonly kind: string; readonly machines: Readonly<Record<string, unknown>> } & Record<
  string,
  unknown
>;

const POLL_MS = 300;

/**
 * Asks for the jobs and shows what becomes of them: one machine's output as it comes, of many a line each as they end, and a
 * summary. The exit code is the command's own for one machine, else 1 when one failed.
 */
export async function runJobs(cli: Cli, body: WishedJob, wait: boolean): Promise<void> {
  const api = await cli.connect();
  const answer = await api.request('POST', '/jobs', { json: body });
  const { batch, items } = readAnswer(batchSchema, answer, 'jobs');
  const [first] = items;
  if (!wait || first === undefined) {
    cli.print(answer, () => items.map((job) => `${job.machine}: job ${job.id} ${job.state}`));
    return;
  }
  if (items.length === 1) await followOne(cli, api, first);
  else await followMany(cli, api, batch, items);
}

async function followOne(cli: Cli, api: ApiClient, job: JobAnswer): Promise<void> {
  const path = `/jobs/${encodeURIComponent(job.id)}`;
  if (!cli.json) await showOutput(cli, api, path);
  for (;;) {
    const answer = await asked(api, path);
    const now = readAnswer(jobWithOutputSchema, answer, 'job');
    if (isOpen(now)) {
      await delay(POLL_MS);
      continue;
    }
    if (now.state !== 'done') cli.exitCode = now.exit ?? 1;
    if (cli.json) cli.printJson(answer);
    else if (now.kind !== 'exec' && now.kind !== 'logs') cli.say(lineOf(now));
    else if (now.state !== 'done' || now.truncated === true)
      cli.note(now.truncated === true ? `${lineOf(now)} (the output is not whole)` : lineOf(now));
    return;
  }
}

/** As it comes. A server that restarts ends the stream; the result is asked for afterwards. */
async function showOutput(cli: Cli, api: ApiClient, path: string): Promise<void> {
  const aborted = new AbortController();
  try {
    const stream = await api.open(`${path}/output`, { signal: aborted.signal });
    const decoder = new TextDecoder();
    for await (const chunk of stream) cli.io.stdout.write(decoder.decode(chunk as Buffer, { stream: true }));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error) && !(error instanceof Unreachable)) throw error;
  }
}

async function followMany(cli: Cli, api: ApiClient, batch: string, items: readonly JobAnswer[]): Promise<void> {
  const open = new Set(items.map(({ id }) => id));
  const ended: JobAnswer[] = [];
  for (;;) {
    const { rows } = await listAll(api, '/jobs', jobSchema, { query: { batch, limit: 1000 } });
    for (const job of rows) {
      if (isOpen(job) || !open.delete(job.id)) continue;
      ended.push(job);
      if (!cli.json) await showEnd(cli, api, job);
    }
    if (open.size === 0) break;
    await delay(POLL_MS);
  }
  const count = (state: string): number => ended.filter((job) => job.state === state).length;
  const summary = { done: count('done'), failed: count('failed'), 'timed-out': count('timed-out') };
  if (summary.done < ended.length) cli.exitCode = 1;
  if (cli.json) cli.printJson({ batch, summary, items: ended });
  else
    cli.note(
      `${ended.length} machines: ${summary.done} done, ${summary.failed} failed, ${summary['timed-out']} timed out`,
    );
}

async function showEnd(cli: Cli, api: ApiClient, job: JobAnswer): Promise<void> {
  if (job.kind !== 'exec' && job.kind !== 'logs') return cli.say(lineOf(job));
  const { output } = readAnswer(jobWithOutputSchema, await api.get(`/jobs/${encodeURIComponent(job.id)}`), 'job');
  for (const line of output.replace(/\n$/, '').split('\n')) cli.say(`${job.machine}: ${printable(line)}`);
  if (job.state !== 'done') cli.say(lineOf(job));
}

/** A server that restarts in the middle is asked again. */
async function asked(api: ApiClient, path: string): Promise<unknown> {
  for (let tries = 0; ; tries++) {
    try {
      return await api.get(path);
    } catch (error) {
      if (!(error instanceof Unreachable) || tries >= 20) throw error;
      await delay(1000);
    }
  }
}

const isOpen = ({ state }: JobAnswer): boolean => state === 'queued' || state === 'sent';

const lineOf = ({ machine, state, message }: JobAnswer): string =>
  `${machine}: ${state}${message === undefined ? '' : `: ${message}`}`;
