import { Worker } from 'node:worker_threads';
import type { FromWorker, ToWorker, WorkerSettings } from './messages.js';
import type { TftpLog } from './server.js';

export interface ThreadEvents {
  readonly message: (message: Exclude<FromWorker, { kind: 'ready' }>) => void;
  /** The thread died; what ran in it is lost. */
  readonly lost: (reason: string) => void;
}

const RESTART_PAUSE = 1000;
const CLOSE_PATIENCE = 2000;

/** Keeps one thread of transfers running: one that dies is replaced after a second. */
export class TransferThread {
  readonly #entry: string;
  readonly #settings: WorkerSettings;
  readonly #events: ThreadEvents;
  readonly #log: TftpLog;
  #worker: Worker | undefined;
  #restart: NodeJS.Timeout | undefined;
  #hasRun = false;
  #closing = false;

  constructor(entry: string, settings: WorkerSettings, events: ThreadEvents, log: TftpLog) {
    this.#entry = entry;
    this.#settings = settings;
    this.#events = events;
    this.#log = log;
  }

  /** Resolves when the thread takes jobs; rejects when its code cannot be loaded. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      const worker = new Worker(this.#entry, { workerData: this.#settings, name: 'tftp' });
      let problem = 'it ended by itself';
      worker.on('error', (error: unknown) => {
        problem = error instanceof Error ? error.message : String(error);
      });
      worker.on('message', (message: FromWorker) => {
        if (message.kind !== 'ready') {
          this.#events.message(message);
          return;
        }
        this.#worker = worker;
        this.#hasRun = true;
        resolve();
      });
      worker.once('exit', () => {
        const wasRunning = this.#worker === worker;
        this.#worker = undefined;
        reject(new Error(`the thread of the TFTP transfers did not start: ${problem}`));
        // One that cannot even start the first time is a broken installation, told to the caller.
        if (this.#closing || !this.#hasRun) return;
        if (wasRunning) {
          this.#log.error({ problem }, 'the thread of the TFTP transfers ended, a new one is started');
          this.#events.lost(`the thread of the transfers ended: ${problem}`);
        }
        this.#startAgain();
      });
    });
  }

  /** False = no thread runs at the moment. */
  send(message: ToWorker, transfer: readonly ArrayBuffer[] = []): boolean {
    this.#worker?.postMessage(message, transfer);
    return this.#worker !== undefined;
  }

  /** Transfers end with an ERROR packet that holds `reason`. */
  async close(reason: string): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#restart);
    const worker = this.#worker;
    if (worker === undefined) return;
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    this.send({ kind: 'close', reason });
    const impatient = setTimeout(() => {
      worker.terminate().catch((error: unknown) => this.#log.error({ error }, 'TFTP thread could not be ended'));
    }, CLOSE_PATIENCE);
    await ended;
    clearTimeout(impatient);
  }

  #startAgain(): void {
    this.#restart = setTimeout(() => {
      // A failure leads here again, by the exit of that thread.
      this.start().catch((error: unknown) => this.#log.error({ error }, 'no TFTP transfers at the moment'));
    }, RESTART_PAUSE);
  }
}
