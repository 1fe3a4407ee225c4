import { Worker } from 'node:worker_threads';
import type { Store } from '../domain/ports.js';
import { compiledEntry } from '../paths.js';
import type { Limits } from './calls.js';
import type { Report, WorkerData } from './messages.js';
import { fromPlain } from './sqlite-error.js';
import { threadEnded } from './thread-ended.js';
import { WorkerStore } from './worker-store.js';

/** Where the store says what someone must know. A pino logger fits. */
export interface StoreLog {
  info(data: object, message: string): void;
  error(data: object, message: string): void;
}

export interface StoreOptions {
  /** Of the SQLite file; made, with its folder, when it is not there. */
  readonly path: string;
  readonly log?: StoreLog;
  /** Newest 200,000 events, 50,000 boot sessions and 20,000 jobs unless told otherwise. */
  readonly limits?: Partial<Limits>;
}

/**
 * Starts the store's thread and opens the database in it. Every call of the store is answered after its transaction is on the disk.
 * Rejects with `unavailable` and a remedy when the file cannot be used, is in use by another server, or was written by newer code.
 */
export async function openStore({ path, log, limits }: StoreOptions): Promise<Store> {
  const workerData: WorkerData = { path, limits: { events: 200_000, sessions: 50_000, jobs: 20_000, ...limits } };
  const worker = new Worker(compiledEntry('store/worker.js'), { workerData, name: 'store' });
  const migrated = await ready(worker, path);
  if (migrated.length > 0) log?.info({ path, migrated }, 'database schema brought up to date');
  return new WorkerStore(worker, path, log);
}

/** Schema steps that ran. */
function ready(worker: Worker, path: string): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    const failed = (cause: unknown): void => reject(threadEnded(path, cause));
    worker.once('error', failed).once('exit', failed);
    worker.once('message', (report: Report) => {
      worker.off('error', failed).off('exit', failed);
      if (report.kind === 'ready') resolve(report.migrated);
      if (report.kind === 'refused') reject(fromPlain(report.error));
    });
  });
}
