import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { AnybiosError, type ErrorCode } from '../domain/errors.js';
import { readAnswer } from './api-schema.js';
import type { Cli } from './cli.js';
import type { ApiClient } from './client.js';

const CODES = [
  'invalid',
  'not_found',
  'conflict',
  'unauthorized',
  'unavailable',
  'internal',
] as const satisfies readonly ErrorCode[];
const taskSchema = z.object({
  id: z.string(),
  state: z.enum(['running', 'done', 'failed', 'cancelled']),
  doing: z.string(),
  bytes: z.number(),
  total: z.number().optional(),
  fetched: z.object({ digest: z.string(), size: z.number(), url: z.string(), address: z.string() }).optional(),
  verified: z
    .array(z.object({ digest: z.string(), state: z.enum(['ok', 'damaged', 'missing']), images: z.array(z.string()) }))
    .optional(),
  error: z
    .object({ code: z.enum(CODES).catch('internal'), message: z.string(), remedy: z.string().optional() })
    .optional(),
});
export type ImageTask = z.output<typeof taskSchema>;

const POLL_MS = 300;

/**
 * Starts a task of the server and shows its progress until it has ended. A command that is interrupted (Ctrl-C) stops the task. Throws
 * what the server says when it fails.
 */
export async function runImageTask(
  cli: Cli,
  api: ApiClient,
  path: string,
  body: object,
  label: string,
): Promise<ImageTask> {
  let task = readAnswer(taskSchema, await api.request('POST', path, { json: body }), 'task');
  const at = `/image-tasks/${task.id}`;
  const progress = cli.progress(label, undefined);
  const interrupted = (): void => {
    api
      .request('DELETE', at)
      .catch(() => undefined)
      .finally(() => process.kill(process.pid, 'SIGINT'));
  };
  process.once('SIGINT', interrupted);
  try {
    while (task.state === 'running') {
      await pause(POLL_MS);
      task = readAnswer(taskSchema, await api.get(at), 'task');
      progress.set(task.bytes, task.total);
    }
  } finally {
    process.off('SIGINT', interrupted);
    progress.end();
  }
  if (task.state === 'done') return task;
  const { code, message, remedy } = task.error ?? { code: 'internal', message: `it was ${task.state}` };
  throw new AnybiosError(code, message, remedy === undefined ? {} : { remedy });
}
