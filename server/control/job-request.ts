import type { JobResult } from '../decide/job-step.js';
import type { Job } from '../domain/job.js';

/** The request of a job as a live OS reads it (docs/control.md): lines, arguments in base64, an empty line. */
export function requestText(job: Job): string {
  const { id, kind, system, command = [], memoryBytes, cpus, timeoutSeconds } = job;
  const lines: readonly (readonly [string, string | number | undefined])[] = [
    ['id', id],
    ['kind', kind],
    ['system', system],
    ...command.map((word) => ['arg64', Buffer.from(word, 'utf8').toString('base64')] as const),
    ['memory-bytes', memoryBytes],
    ['cpus', cpus],
    ['timeout-seconds', kind === 'exec' ? timeoutSeconds : undefined],
  ];
  return textOf(lines);
}

/** The request for a log. */
export function logsText({ system, lines = 100, follow = false }: Job): string {
  return textOf([
    ['system', system],
    ['lines', lines],
    ['follow', follow ? 'yes' : 'no'],
  ]);
}

function textOf(lines: readonly (readonly [string, string | number | undefined])[]): string {
  const given = lines.filter(([, value]) => value !== undefined);
  return `${given.map(([key, value]) => `${key}=${value}\n`).join('')}\n`;
}

const STATES: readonly JobResult['state'][] = ['done', 'failed', 'timed-out', 'accepted'];

/** What the machine told at the end; undefined = the connection ended before. */
export function resultOf(told: ReadonlyMap<string, string>): JobResult | undefined {
  const error = told.get('error');
  if (error !== undefined) return { state: 'failed', message: `refused by the machine: ${error}` };
  const state = STATES.find((word) => word === told.get('state'));
  if (state === undefined) return undefined;
  const exit = numberOf(told.get('exit'));
  const outputBytes = numberOf(told.get('output-bytes'));
  const message = told.get('message');
  return {
    state,
    ...(exit === undefined ? {} : { exit }),
    ...(message === undefined ? {} : { message }),
    ...(outputBytes === undefined ? {} : { outputBytes }),
    ...(told.get('truncated') === 'yes' ? { truncated: true } : {}),
  };
}

const numberOf = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
