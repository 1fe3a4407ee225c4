import { randomBytes } from 'node:crypto';
import { AnybiosError, conflict, notFound } from '../domain/errors.js';
import type { ImageProgress } from './api-deps.js';

export type TaskState = 'running' | 'done' | 'failed' | 'cancelled';

/** Something that takes longer than a request: a download, a verification. Kept in memory only. */
export interface ImageTask<R = unknown> {
  readonly id: string;
  readonly kind: 'fetch' | 'verify';
  readonly by: string;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  state: TaskState;
  bytes: number;
  total: number | undefined;
  /** What is being worked at: a URL, an image. */
  doing: string;
  result: R | undefined;
  error: AnybiosError | undefined;
}

export interface TaskContext {
  readonly signal: AbortSignal;
  readonly progress: (progress: ImageProgress & { readonly doing?: string }) => void;
}

/** Downloads at once; each costs a connection and disk time. */
const RUNNING_LIMIT = 4;
const KEPT_MS = 3600 * 1000;

/** Tasks by id; one that has ended can be read for an hour. */
export class ImageTasks {
  readonly #tasks = new Map<string, { readonly task: ImageTask; readonly cancel: AbortController; endedAt?: number }>();
  readonly #clock: () => number;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Starts it and answers at once; `work` may run long. Throws `conflict` when too many run. */
  start(
    kind: ImageTask['kind'],
    doing: string,
    by: string,
    work: (context: TaskContext) => Promise<unknown>,
  ): ImageTask {
    this.#forget();
    const running = [...this.#tasks.values()].filter(({ task }) => task.state === 'running').length;
    if (running >= RUNNING_LIMIT) {
      throw conflict(`${running} downloads and verifications are running`, { remedy: 'wait until one has ended' });
    }
    const task: ImageTask = {
      id: randomBytes(8).toString('hex'),
      kind,
      by,
      startedAt: this.#clock(),
      state: 'running',
      bytes: 0,
      total: undefined,
      doing,
      result: undefined,
      error: undefined,
    };
    const entry: { readonly task: ImageTask; readonly cancel: AbortController; endedAt?: number } = {
      task,
      cancel: new AbortController(),
    };
    this.#tasks.set(task.id, entry);
    const progress: TaskContext['progress'] = ({ bytes, total, from, doing: now }) => {
      task.bytes = bytes;
      task.total = total;
      task.doing = now ?? from ?? task.doing;
    };
    work({ signal: entry.cancel.signal, progress })
      .then(
        (result) => {
          task.result = result;
          task.state = 'done';
        },
        (error: unknown) => {
          task.state = entry.cancel.signal.aborted ? 'cancelled' : 'failed';
          task.error =
            error instanceof AnybiosError
              ? error
              : new AnybiosError('internal', 'the server failed to do this', { cause: error, remedy: 'see its log' });
        },
      )
      .finally(() => {
        entry.endedAt = this.#clock();
      });
    return task;
  }

  /** Throws `not_found`. */
  get(id: string): ImageTask {
    return this.#entry(id).task;
  }

  /** Nothing happens to one that has ended. */
  cancel(id: string): void {
    this.#entry(id).cancel.abort();
  }

  #entry(id: string) {
    const entry = this.#tasks.get(id);
    if (entry !== undefined) return entry;
    throw notFound(`there is no task ${id}`, {
      remedy: 'tasks are forgotten an hour after their end, and at a restart',
    });
  }

  #forget(): void {
    for (const [id, { endedAt }] of this.#tasks) {
      if (endedAt !== undefined && this.#clock() - endedAt > KEPT_MS) this.#tasks.delete(id);
    }
  }
}
