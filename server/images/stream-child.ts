import { type ChildProcess, fork } from 'node:child_process';
import type { Socket } from 'node:net';
import { getPriority, setPriority } from 'node:os';
import type { BootAnswer } from '../boot/contract.js';
import type { BootQuestion, FromStream, StreamReport, StreamSettings, ToStream } from './stream-messages.js';

export interface StreamChildLog {
  info(data: object, message: string): void;
  error(data: object, message: string): void;
}

interface Waiting {
  readonly socket: Socket;
  readonly first: Buffer;
}

const RESTART_PAUSE = 1000;
/** Nice value: where processors are short, DHCP answers and the API go before downloads, about two to one. */
const BEHIND = 3;
const CLOSE_PATIENCE = 2000;
/** Connections kept while the process starts again. */
const WAITING_LIMIT = 2000;

/**
 * Keeps one process running that streams images, and hands it connections. When it dies its connections are lost (clients ask again
 * from where they were); new ones wait the moment until the next process is there.
 */
export class StreamChild {
  readonly #entry: string;
  readonly #settings: StreamSettings;
  readonly #onReport: (report: StreamReport) => void;
  readonly #bootFile: (question: BootQuestion) => Promise<BootAnswer>;
  readonly #log: StreamChildLog;
  readonly #waiting: Waiting[] = [];
  /** Downloads that have begun, by id: told as failed when the process dies. */
  readonly #running = new Map<number, StreamReport>();
  #child: ChildProcess | undefined;
  #ready = false;
  #restart: NodeJS.Timeout | undefined;
  #closing = false;

  constructor(
    entry: string,
    settings: StreamSettings,
    onReport: (report: StreamReport) => void,
    bootFile: (question: BootQuestion) => Promise<BootAnswer>,
    log: StreamChildLog,
  ) {
    this.#entry = entry;
    this.#settings = settings;
    this.#onReport = onReport;
    this.#bootFile = bootFile;
    this.#log = log;
  }

  /** For the log and for tests; undefined while it starts again. */
  get pid(): number | undefined {
    return this.#ready ? this.#child?.pid : undefined;
  }

  /** Resolves when it takes connections; rejects when it does not start. */
  start(): Promise<void> {
    const startedAt = performance.now();
    return new Promise((resolve, reject) => {
      // Nothing of our environment: it may hold a token, and NODE_OPTIONS are meant for the main process.
      const child = fork(this.#entry, [], { execArgv: [], env: {}, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
      this.#child = child;
      // Where nginx sends the files, this process only says which: nginx must not wait for it.
      if (child.pid !== undefined && this.#settings.accel === undefined) putBehind(child.pid, this.#log);
      child.on('message', (message: FromStream) => {
        if (message.kind === 'reports') {
          for (const report of message.reports) this.#hear(report);
          return;
        }
        if (message.kind === 'boot-file?') {
          this.#answer(child, message);
          return;
        }
        this.#ready = true;
        if (message.slow === undefined) this.#log.info({}, 'files are sent with sendfile');
        else
          this.#log.info({ reason: message.slow }, 'files are sent without sendfile, which costs more processor time');
        resolve();
        for (const { socket, first } of this.#waiting.splice(0)) this.handOver(socket, first);
      });
      child.on('error', (error) => this.#log.error({ error }, 'process that streams images'));
      child.once('exit', (code, signal) => {
        const how = signal ?? `code ${code}`;
        const wasReady = this.#ready;
        this.#ready = false;
        this.#child = undefined;
        if (wasReady && !this.#closing) {
          this.#log.error({ how }, 'the process that streams images ended, a new one is started');
        }
        this.#failAll(`the process that streams images ended (${how})`);
        reject(new Error(`the process that streams images did not start (${how})`));
        if (this.#closing) return;
        // At once after a single death; not in a tight loop.
        const pause = performance.now() - startedAt > RESTART_PAUSE ? 0 : RESTART_PAUSE;
        if (wasReady || this.#restart !== undefined) this.#startAgain(pause);
      });
      this.#post(child, { kind: 'settings', ...this.#settings });
    });
  }

  /** Gives the connection away. `first`: what was read from it. The socket must not be reading any more. */
  handOver(socket: Socket, first: Buffer): void {
    const child = this.#child;
    if (child === undefined || !this.#ready) {
      if (this.#closing || this.#waiting.length >= WAITING_LIMIT) socket.destroy();
      else this.#waiting.push({ socket, first });
      return;
    }
    const message: ToStream = { kind: 'connection', first: first.toString('base64') };
    child.send(message, socket, {}, (error) => {
      // It died just now; the client has to ask again.
      if (error !== null) socket.destroy();
    });
  }

  /** Downloads that run are cut off. */
  async close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#restart);
    for (const { socket } of this.#waiting.splice(0)) socket.destroy();
    const child = this.#child;
    if (child === undefined) return;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.disconnect();
    const impatient = setTimeout(() => child.kill('SIGKILL'), CLOSE_PATIENCE);
    await ended;
    clearTimeout(impatient);
  }

  #answer(child: ChildProcess, question: BootQuestion): void {
    this.#bootFile(question)
      .catch((error: unknown): BootAnswer => {
        this.#log.error({ error, url: question.target }, 'a boot file could not be served');
        return { kind: 'none', status: 500, reason: 'internal error' };
      })
      .then((file) => this.#post(child, { kind: 'boot-file', ask: question.ask, file }))
      .catch((error: unknown) => this.#log.error({ error }, 'process that streams images cannot be reached'));
  }

  #post(child: ChildProcess, message: ToStream): void {
    child.send(message, (error) => {
      if (error !== null) this.#log.error({ error }, 'process that streams images cannot be reached');
    });
  }

  #hear(report: StreamReport): void {
    // One that nginx sends goes on without the process.
    if (report.token !== undefined) this.#running.delete(report.id);
    else if (report.phase === 'started' || report.phase === 'progress') this.#running.set(report.id, report);
    else this.#running.delete(report.id);
    this.#onReport(report);
  }

  #failAll(reason: string): void {
    for (const report of this.#running.values()) this.#onReport({ ...report, phase: 'failed', reason });
    this.#running.clear();
  }

  #startAgain(pause: number): void {
    this.#restart = setTimeout(() => {
      // A failure leads here again, by its exit.
      this.start().catch((error: unknown) => this.#log.error({ error }, 'no image downloads at the moment'));
    }, pause);
  }
}

function putBehind(pid: number, log: StreamChildLog): void {
  try {
    setPriority(pid, Math.min(19, getPriority() + BEHIND));
  } catch (error) {
    log.info({ error }, 'downloads have the priority of the rest');
  }
}
