import { closeSync } from 'node:fs';
import { MessageChannel, Worker } from 'node:worker_threads';
import { compiledEntry } from '../paths.js';
import { STAGE_BYTES } from './chunk-cache.js';
import type { ReaderData } from './file-messages.js';
import { ListenError } from './listen-error.js';
import type { FromWorker, ReadyMessage, ToWorker, WorkerData, WorkerSettings } from './messages.js';
import type { TftpLog } from './quiet-log.js';
import { announce, newWakeSignal, tellToLeave } from './wake-signal.js';

export interface ThreadEvents {
  readonly message: (message: Exclude<FromWorker, { kind: 'ready' | 'unfit' }>) => void;
  /** The thread died; what ran in it is lost. */
  readonly lost: (reason: string) => void;
}

const RESTART_PAUSE = 1000;
const CLOSE_PATIENCE = 2000;
/** A second death within this time, and the next thread takes the plain way. */
const TOO_SOON = 60_000;

/** What runs: the thread of the transfers, and the one that reads files for it. */
interface Running {
  readonly worker: Worker;
  readonly reader: Worker;
  readonly signal: Int32Array;
  wake: number | undefined;
  readonly ended: Promise<void>;
}

/** Keeps the two threads of transfers running: when one dies, both are replaced after a second. */
export class TransferThread {
  readonly #entry: string;
  readonly #settings: WorkerSettings;
  readonly #events: ThreadEvents;
  readonly #log: TftpLog;
  #running: Running | undefined;
  #starting: Running | undefined;
  #restart: NodeJS.Timeout | undefined;
  #hasRun = false;
  #closing = false;
  #diedAt = Number.NEGATIVE_INFINITY;
  #plain = false;

  constructor(entry: string, settings: WorkerSettings, events: ThreadEvents, log: TftpLog) {
    this.#entry = entry;
    this.#settings = settings;
    this.#events = events;
    this.#log = log;
  }

  /** Resolves when the thread takes jobs; rejects when its code cannot be loaded, with ListenError when a port cannot be had. */
  start(): Promise<ReadyMessage> {
    return new Promise((resolve, reject) => {
      const chunks = new SharedArrayBuffer(STAGE_BYTES);
      const signal = newWakeSignal();
      const { port1, port2 } = new MessageChannel();
      const settings: WorkerSettings = this.#plain ? { ...this.#settings, transport: 'dgram' } : this.#settings;
      const workerData: WorkerData = { settings, signal, chunks, reader: port1 };
      const readerData: ReaderData = { chunks, signal };
      const reader = new Worker(compiledEntry('tftp/file-reader.js'), { workerData: readerData, name: 'tftp-files' });
      reader.postMessage({ port: port2 }, [port2]);
      const worker = new Worker(this.#entry, { workerData, transferList: [port1], name: 'tftp' });
      let problem: Error | undefined;
      const ended = Promise.all([worker, reader].map((thread) => new Promise((done) => thread.once('exit', done))));
      const running: Running = { worker, reader, signal, wake: undefined, ended: ended.then(() => undefined) };
      this.#starting = running;
      const leave = (): void => tellToLeave(signal, running.wake);
      // The end of the process waits for threads, and this one may sleep in the kernel.
      process.once('exit', leave);

      for (const thread of [worker, reader]) {
        thread.on('error', (error: unknown) => {
          problem ??= error instanceof Error ? error : new Error(String(error));
        });
      }
      worker.on('message', (message: FromWorker) => {
        if (message.kind === 'unfit') {
          problem = new ListenError(message.message, message.code, message.address);
          return;
        }
        if (message.kind !== 'ready') {
          this.#events.message(message);
          return;
        }
        running.wake = message.wake;
        if (message.wake !== undefined) reader.postMessage({ wake: message.wake });
        this.#running = running;
        this.#hasRun = true;
        resolve(message);
      });
      worker.once('exit', () => reader.postMessage({ close: true }));
      reader.once('exit', () => leave());
      running.ended.then(() => {
        process.off('exit', leave);
        // Only now: the number of a closed descriptor may be another file's, and both threads write to it.
        if (running.wake !== undefined) closeSync(running.wake);
        running.wake = undefined;
        const wasRunning = this.#running === running;
        if (wasRunning) this.#running = undefined;
        this.#starting = undefined;
        const words = problem?.message ?? 'it ended by itself';
        reject(
          problem instanceof ListenError
            ? problem
            : new Error(`the thread of the TFTP transfers did not start: ${words}`),
        );
        // One that cannot even start the first time is a broken installation, told to the caller.
        if (this.#closing || !this.#hasRun) return;
        if (wasRunning) this.#died(words);
        this.#startAgain();
      }, reject);
    });
  }

  /** False = no thread runs at the moment. */
  send(message: ToWorker): boolean {
    const running = this.#running;
    if (running === undefined) return false;
    running.worker.postMessage(message);
    announce(running.signal, running.wake);
    return true;
  }

  /** Transfers end with an ERROR packet that holds `reason`. */
  async close(reason: string): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#restart);
    const running = this.#running ?? this.#starting;
    if (running === undefined) return;
    this.send({ kind: 'close', reason });
    const impatient = setTimeout(() => {
      tellToLeave(running.signal, running.wake);
      for (const thread of [running.worker, running.reader]) {
        thread.terminate().catch((error: unknown) => this.#log.error({ error }, 'TFTP thread could not be ended'));
      }
    }, CLOSE_PATIENCE);
    await running.ended;
    clearTimeout(impatient);
  }

  #died(problem: string): void {
    const now = performance.now();
    this.#plain ||= now - this.#diedAt < TOO_SOON;
    this.#diedAt = now;
    this.#log.error({ problem }, 'the thread of the TFTP transfers ended, a new one is started');
    this.#events.lost(`the thread of the transfers ended: ${problem}`);
  }

  #startAgain(): void {
    this.#restart = setTimeout(() => {
      // A failure leads here again, by the exit of that thread.
      this.start().catch((error: unknown) => this.#log.error({ error }, 'no TFTP transfers at the moment'));
    }, RESTART_PAUSE);
  }
}
