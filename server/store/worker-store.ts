import type { Worker } from 'node:worker_threads';
import { type AnybiosError, unavailable } from '../domain/errors.js';
import type { Store } from '../domain/ports.js';
import type { CallArguments, CallName, CallResults } from './calls.js';
import type { Answer, Call } from './messages.js';
import type { StoreLog } from './open-store.js';
import { Outbox } from './outbox.js';
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
  readonly #outbox: Outbox;
  /** Several wait for one call when it took the place of earlier ones. */
  readonly #pending = new Map<number, Pending[]>();
  readonly #exited: Promise<void>;
  #ended: AnybiosError | undefined;

  constructor(worker: Worker, path: string, log: StoreLog | undefined) {
    this.#worker = worker;
    this.#outbox = new Outbox((text) => worker.postMessage(text));
    worker.on('message', (text: string) => this.#settle(JSON.parse(text)));
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
  lease: Store['lease'] = (...args) => this.#send('lease', ...args);
  removeLease: Store['removeLease'] = (...args) => this.#send('removeLease', ...args);
  saveImage: Store['saveImage'] = (...args) => this.#send('saveImage', ...args);
  removeImage: Store['removeImage'] = (...args) => this.#send('removeImage', ...args);
  tagImage: Store['tagImage'] = (...args) => this.#send('tagImage', ...args);
  tagMoves: Store['tagMoves'] = (...args) => this.#send('tagMoves', ...args);
  saveObserved: Store['saveObserved'] = async (observed) =>
    this.#sendLater(`observed ${observed.key}`, 'saveObserved', { key: observed.key, body: JSON.stringify(observed) });
  removeObserved: Store['removeObserved'] = (...args) => this.#send('removeObserved', ...args);
  saveSession: Store['saveSession'] = async (session) => {
    const { id, key, openedAt } = session;
    const row = { id, key, opened_ms: openedAt, body: JSON.stringify(session) };
    return this.#sendLater(`session ${id}`, 'saveSession', row);
  };
  sessions: Store['sessions'] = (...args) => this.#send('sessions', ...args);
  session: Store['session'] = (...args) => this.#send('session', ...args);
  saveClaim: Store['saveClaim'] = (...args) => this.#send('saveClaim', ...args);
  appendEvents: Store['appendEvents'] = async (events) => {
    const sequences = await this.#sendLater(undefined, 'appendEvents', events);
    return events.map((event, index) => ({ ...event, sequence: sequences[index] ?? 0 }));
  };
  events: Store['events'] = (...args) => this.#send('events', ...args);
  saveJobs: Store['saveJobs'] = (...args) => this.#send('saveJobs', ...args);
  jobs: Store['jobs'] = (...args) => this.#send('jobs', ...args);
  job: Store['job'] = (...args) => this.#send('job', ...args);
  saveToken: Store['saveToken'] = (...args) => this.#send('saveToken', ...args);
  removeToken: Store['removeToken'] = (...args) => this.#send('removeToken', ...args);
  setting: Store['setting'] = (...args) => this.#send('setting', ...args);
  saveSetting: Store['saveSetting'] = (...args) => this.#send('saveSetting', ...args);

  /** Waits for the calls made before, closes the database and ends the thread. Calling it again is harmless. */
  async close(): Promise<void> {
    if (this.#ended === undefined) {
      this.#ended = unavailable('the store is closed: the server is shutting down');
      this.#outbox.flush();
      this.#worker.postMessage(JSON.stringify({ kind: 'close' }));
    }
    await this.#exited;
  }

  #send<K extends CallName>(name: K, ...args: CallArguments[K]): Promise<CallResults[K]> {
    const call: Call<K> = { name, args };
    return this.#answerTo<K>(() => this.#outbox.add(call));
  }

  #sendLater<K extends CallName>(
    target: string | undefined,
    name: K,
    ...args: CallArguments[K]
  ): Promise<CallResults[K]> {
    const call: Call<K> = { name, args };
    return this.#answerTo<K>(() => this.#outbox.addLater(call, target));
  }

  #answerTo<K extends CallName>(add: () => number): Promise<CallResults[K]> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) throw this.#ended;
      const id = add();
      const pending = this.#pending.get(id);
      if (pending === undefined) this.#pending.set(id, [{ resolve, reject }]);
      else pending.push({ resolve, reject });
    });
  }

  #settle(answers: readonly Answer[]): void {
    for (const { id, outcome } of answers) {
      const waiting = this.#pending.get(id) ?? [];
      this.#pending.delete(id);
      for (const { resolve, reject } of waiting) {
        if (outcome.ok) resolve(outcome.value);
        else reject(fromPlain(outcome.error));
      }
    }
  }

  #end(error: AnybiosError): void {
    this.#ended ??= error;
    for (const waiting of this.#pending.values()) for (const { reject } of waiting) reject(error);
    this.#pending.clear();
  }
}
