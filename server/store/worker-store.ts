import type { Worker } from 'node:worker_threads';
import { type AnybiosError, unavailable } from '../domain/errors.js';
import type { Store } from '../domain/ports.js';
import type { CallArguments, CallName, CallResults } from './calls.js';
import type { Call, Report, Request } from './messages.js';
import type { StoreLog } from './open-store.js';
import { fromPlain } from './sqlite-error.js';
import { threadEnded } from './thread-ended.js';

interface Pending {
  resolve(value: unknown): void;
  reject(error: AnybiosError): void;
}

/**
 * The main thread's end of the store: a call is a message, its answer settles the promise. When the thread dies, calls without an
 * answer reject with `unavailable` (whether they became durable is not known) and so does every later one.
 */
export class WorkerStore implements Store {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  readonly #exited: Promise<void>;
  #lastId = 0;
  #ended: AnybiosError | undefined;

  constructor(worker: Worker, path: string, log: StoreLog | undefined) {
    this.#worker = worker;
    worker.on('message', (report: Report) => this.#settle(report));
    worker.on('messageerror', (cause) => this.#end(threadEnded(path, cause)));
    worker.on('error', (cause) => {
      log?.error({ path, err: cause }, 'the store thread died: nothing can be saved until anybios is started again');
      this.#end(threadEnded(path, cause));
    });
    this.#exited = new Promise((resolve) => {
      worker.on('exit', () => {
        this.#end(threadEnded(path, undefined));
        resolve();
      });
    });
  }

  load: Store['load'] = () => this.#send('load');
  applyDesired: Store['applyDesired'] = (...args) => this.#send('applyDesired', ...args);
  changesSince: Store['changesSince'] = (...args) => this.#send('changesSince', ...args);
  claimLease: Store['claimLease'] = (...args) => this.#send('claimLease', ...args);
  removeLease: Store['removeLease'] = (...args) => this.#send('removeLease', ...args);
  saveImage: Store['saveImage'] = (...args) => this.#send('saveImage', ...args);
  removeImage: Store['removeImage'] = (...args) => this.#send('removeImage', ...args);
  tagImage: Store['tagImage'] = (...args) => this.#send('tagImage', ...args);
  saveObserved: Store['saveObserved'] = (...args) => this.#send('saveObserved', ...args);
  removeObserved: Store['removeObserved'] = (...args) => this.#send('removeObserved', ...args);
  saveSession: Store['saveSession'] = (...args) => this.#send('saveSession', ...args);
  sessions: Store['sessions'] = (...args) => this.#send('sessions', ...args);
  session: Store['session'] = (...args) => this.#send('session', ...args);
  saveClaim: Store['saveClaim'] = (...args) => this.#send('saveClaim', ...args);
  appendEvents: Store['appendEvents'] = (...args) => this.#send('appendEvents', ...args);
  events: Store['events'] = (...args) => this.#send('events', ...args);
  saveToken: Store['saveToken'] = (...args) => this.#send('saveToken', ...args);
  removeToken: Store['removeToken'] = (...args) => this.#send('removeToken', ...args);
  setting: Store['setting'] = (...args) => this.#send('setting', ...args);
  saveSetting: Store['saveSetting'] = (...args) => this.#send('saveSetting', ...args);

  /** Waits for the calls made before, closes the database and ends the thread. Calling it again is harmless. */
  async close(): Promise<void> {
    if (this.#ended === undefined) {
      this.#ended = unavailable('the store is closed: the server is shutting down');
      this.#post({ kind: 'close' });
    }
    await this.#exited;
  }

  #send<K extends CallName>(name: K, ...args: CallArguments[K]): Promise<CallResults[K]> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) throw this.#ended;
      this.#lastId += 1;
      const call: Call<K> = { name, args };
      // Throws for a value that cannot be cloned; nothing waits for an answer then.
      this.#post({ kind: 'call', id: this.#lastId, call });
      this.#pending.set(this.#lastId, { resolve, reject });
    });
  }

  #post<K extends CallName>(request: Request<K>): void {
    this.#worker.postMessage(request);
  }

  #settle(report: Report): void {
    if (report.kind !== 'answers') return;
    for (const { id, outcome } of report.answers) {
      const waiting = this.#pending.get(id);
      this.#pending.delete(id);
      if (outcome.ok) waiting?.resolve(outcome.value);
      else waiting?.reject(fromPlain(outcome.error));
    }
  }

  #end(error: AnybiosError): void {
    this.#ended ??= error;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}
