import type { Worker } from 'node:worker_threads';
import { type AnybiosError, unavailable } from '../domain/errors.js';
import { NumberMap } from '../domain/number-map.js';
import type { Store } from '../domain/ports.js';
import type { CallArguments, CallName, CallResults } from './calls.js';
import { toEventTexts } from './event-lines.js';
import { type Answers, type Call, type Request, type RowCall, readAnswers } from './messages.js';
import type { StoreLog } from './open-store.js';
import { Outbox } from './outbox.js';
import { fromPlain } from './sqlite-error.js';
import { threadEnded } from './thread-ended.js';

interface Pending {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/**
 * The main thread's end of the store: a call is a message, its answer settles the promise. When the thread dies, calls without an
 * answer reject with `unavailable` (whether they became durable is not known) and so does every later one.
 */
export class WorkerStore implements Store {
  readonly #worker: Worker;
  readonly #outbox: Outbox;
  /** Several wait for one call when it took the place of earlier ones. */
  #pending = new NumberMap<Pending[]>();
  readonly #exited: Promise<void>;
  #ended: AnybiosError | undefined;

  constructor(worker: Worker, path: string, log: StoreLog | undefined) {
    this.#worker = worker;
    this.#outbox = new Outbox(
      (request) => this.#post(request),
      (id, error) => this.#reject(id, error),
    );
    worker.on('message', (answers: Answers) => this.#settle(answers));
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
  saveObserved: Store['saveObserved'] = (observed) =>
    this.#saveRow(`observed ${observed.key}`, () => ({
      name: 'saveObserved',
      args: [{ key: observed.key, body: JSON.stringify(observed) }],
    }));
  removeObserved: Store['removeObserved'] = (...args) => this.#send('removeObserved', ...args);
  // In a storm of invented machines each new one makes an old one go: that must not send all that lingers each time.
  forgetStranger: Store['forgetStranger'] = (key) =>
    this.#saveRow(`forget ${key}`, () => ({ name: 'forgetStranger', args: [key] }));
  saveSession: Store['saveSession'] = (session) =>
    this.#saveRow(session.id, () => {
      const { id, key, openedAt } = session;
      return { name: 'saveSession', args: [{ id, key, opened_ms: openedAt, body: JSON.stringify(session) }] };
    });
  sessions: Store['sessions'] = (...args) => this.#send('sessions', ...args);
  session: Store['session'] = (...args) => this.#send('session', ...args);
  saveClaim: Store['saveClaim'] = (...args) => this.#send('saveClaim', ...args);
  appendEvents: Store['appendEvents'] = (events) =>
    this.#answerTo<'appendEvents'>(() =>
      this.#outbox.addEvents({ name: 'appendEvents', args: [toEventTexts(events)] }),
    );
  events: Store['events'] = (...args) => this.#send('events', ...args);
  saveJobs: Store['saveJobs'] = (...args) => this.#send('saveJobs', ...args);
  jobs: Store['jobs'] = (...args) => this.#send('jobs', ...args);
  job: Store['job'] = (...args) => this.#send('job', ...args);
  saveStandby: Store['saveStandby'] = (...args) => this.#send('saveStandby', ...args);
  saveToken: Store['saveToken'] = (...args) => this.#send('saveToken', ...args);
  removeToken: Store['removeToken'] = (...args) => this.#send('removeToken', ...args);
  setting: Store['setting'] = (...args) => this.#send('setting', ...args);
  saveSetting: Store['saveSetting'] = (...args) => this.#send('saveSetting', ...args);

  /** Waits for the calls made before, closes the database and ends the thread. Calling it again is harmless. */
  async close(): Promise<void> {
    if (this.#ended === undefined) {
      this.#ended = unavailable('the store is closed: the server is shutting down');
      this.#outbox.flush();
      this.#post('close');
    }
    await this.#exited;
  }

  #send<K extends CallName>(name: K, ...args: CallArguments[K]): Promise<CallResults[K]> {
    const call: Call<K> = { name, args };
    return this.#answerTo<K>(() => this.#outbox.add(call));
  }

  #saveRow(target: string, make: () => RowCall): Promise<void> {
    return this.#answerTo<'saveSession'>(() => this.#outbox.addRow(target, make));
  }

  #post(request: Request): void {
    this.#worker.postMessage(request);
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

  #settle(answers: Readonly<Answers>): void {
    readAnswers(answers, (id, outcome) => {
      const waiting = this.#pending.get(id) ?? [];
      this.#pending.delete(id);
      for (const { resolve, reject } of waiting) {
        if (outcome.ok) resolve(outcome.value);
        else reject(fromPlain(outcome.error));
      }
    });
  }

  #reject(id: number, error: unknown): void {
    for (const { reject } of this.#pending.get(id) ?? []) reject(error);
    this.#pending.delete(id);
  }

  #end(error: AnybiosError): void {
    this.#ended ??= error;
    const pending = this.#pending;
    this.#pending = new NumberMap();
    for (const waiting of pending.values()) for (const { reject } of waiting) reject(error);
  }
}
