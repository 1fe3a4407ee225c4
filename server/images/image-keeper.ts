import { type ChildProcess, fork } from 'node:child_process';
import { readdir, stat } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { type Digest, parseDigest } from '../domain/digest.js';
import { unavailable } from '../domain/errors.js';
import { compiledEntry } from '../paths.js';
import type { FileState } from './check-file.js';
import { errorOf, failureOf, unexpected } from './failure-message.js';
import type { FetchedFile, FetchRequest } from './fetch-file.js';
import type { CallName, CallProgress, FromKeeper, KeeperCalls, ToKeeper } from './keeper-messages.js';
import { isSealed } from './seal.js';
import type { StoredFile } from './store.js';

export interface KeeperLog {
  error(data: object, message: string): void;
}

export interface KeeperOptions {
  readonly imagesDir: string;
  /** The name behind an Authorization header; throws `unauthorized`. */
  readonly authorize: (authorization: string | undefined) => string;
  readonly onUploaded: (file: StoredFile, by: string) => void;
  readonly log: KeeperLog;
}

export interface CallOptions {
  readonly onProgress?: (progress: CallProgress) => void;
  readonly signal?: AbortSignal;
}

interface Pending {
  readonly resolve: (value: never) => void;
  readonly reject: (reason: unknown) => void;
  readonly onProgress: ((progress: CallProgress) => void) | undefined;
}

const RESTART_PAUSE = 1000;
const CLOSE_PATIENCE = 2000;
const WAITING_LIMIT = 100;

/**
 * The main process's side of the process that keeps the files of images (keeper-process.ts). Looking up a file is done here, with one
 * stat; whatever reads or writes bytes is done there. When that process dies its calls fail, and another is started.
 */
export class ImageKeeper {
  readonly #options: KeeperOptions;
  readonly #pending = new Map<number, Pending>();
  readonly #waiting: { readonly socket: Socket; readonly first: Buffer }[] = [];
  #child: ChildProcess | undefined;
  #ready = false;
  #closing = false;
  #restart: NodeJS.Timeout | undefined;
  #lastId = 0;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** For tests; undefined while it starts again. */
  get pid(): number | undefined {
    return this.#ready ? this.#child?.pid : undefined;
  }

  /** Resolves when the folder is ready and calls are taken. */
  start(): Promise<void> {
    const { imagesDir, log } = this.#options;
    const startedAt = performance.now();
    return new Promise((resolve, reject) => {
      // Nothing of our environment: it may hold a token. Proxies are not used either: what is asked for is what is named.
      const child = fork(compiledEntry('images/keeper-process.js'), [], {
        execArgv: [],
        env: {},
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      this.#child = child;
      child.on('message', (message: FromKeeper) => {
        if (message.kind !== 'ready') {
          this.#hear(child, message);
          return;
        }
        this.#ready = true;
        resolve();
        for (const { socket, first } of this.#waiting.splice(0)) this.handOver(socket, first);
      });
      child.on('error', (error) => log.error({ error }, 'process that keeps images'));
      child.once('exit', (code, signal) => {
        const how = signal ?? `code ${code}`;
        const wasReady = this.#ready;
        this.#ready = false;
        this.#child = undefined;
        for (const { reject: fail } of this.#pending.values()) fail(interrupted(how));
        this.#pending.clear();
        reject(unavailable(`the folder of images cannot be used (${how})`, { remedy: 'see the log of the server' }));
        if (this.#closing) return;
        if (wasReady) log.error({ how }, 'the process that keeps images ended, a new one is started');
        const pause = performance.now() - startedAt > RESTART_PAUSE ? 0 : RESTART_PAUSE;
        if (wasReady || this.#restart !== undefined) this.#startAgain(pause);
      });
      this.#post(child, { kind: 'settings', imagesDir });
    });
  }

  /** Gives a connection that begins with an upload away. The socket must not be reading any more. */
  handOver(socket: Socket, first: Buffer): void {
    const child = this.#child;
    if (child === undefined || !this.#ready) {
      if (this.#closing || this.#waiting.length >= WAITING_LIMIT) socket.destroy();
      else this.#waiting.push({ socket, first });
      return;
    }
    const message: ToKeeper = { kind: 'connection', first: first.toString('base64') };
    child.send(message, socket, {}, (error) => {
      // It died just now; the client has to send again.
      if (error !== null) socket.destroy();
    });
  }

  importFile(path: string, { expectedDigest }: { readonly expectedDigest: Digest }): Promise<StoredFile> {
    return this.#call('importFile', { path, expectedDigest });
  }

  fetch(request: FetchRequest, options: CallOptions = {}): Promise<FetchedFile> {
    return this.#call('fetch', request, options);
  }

  /** Reads the whole file; a damaged one is in quarantine afterwards. */
  verify(digest: Digest, options: CallOptions = {}): Promise<FileState> {
    return this.#call('check', { digest, whole: true }, options);
  }

  /** Reads it only if something has written to it since it came in. */
  check(digest: Digest): Promise<FileState> {
    return this.#call('check', { digest, whole: false });
  }

  /** Answers those that were there. One that came in less than `quietMs` ago stays: its import may not be finished. */
  remove(digests: readonly Digest[], quietMs = 0): Promise<readonly Digest[]> {
    return this.#call('remove', { digests, quietMs });
  }

  clearPartial(quietMs: number, dryRun: boolean): Promise<number> {
    return this.#call('clearPartial', { quietMs, dryRun });
  }

  /** Bytes; undefined = not here. */
  async size(digest: Digest): Promise<number | undefined> {
    return (await this.#look(digest))?.size;
  }

  /** Undefined = not here, or damaged. */
  async pathOf(digest: Digest): Promise<{ readonly path: string; readonly size: number } | undefined> {
    const found = await this.#look(digest);
    if (found === undefined) return undefined;
    if (!found.sealed && (await this.check(digest)) !== 'ok') return undefined;
    return { path: this.#pathFor(digest), size: found.size };
  }

  /** Every file by digest, with its size in bytes and how long it has been here. */
  async list(): Promise<readonly (StoredFile & { readonly ageMs: number; readonly sealed: boolean })[]> {
    const found = [];
    for (const name of await readdir(`${this.#options.imagesDir}/sha256`)) {
      if (!/^[0-9a-f]{64}$/.test(name)) continue;
      const digest = parseDigest(name);
      const file = await this.#look(digest);
      if (file !== undefined) found.push({ digest, ...file });
    }
    return found;
  }

  /** Damaged files that were not imported again. */
  async quarantined(): Promise<readonly Digest[]> {
    const { imagesDir } = this.#options;
    const whole = new Set(await readdir(`${imagesDir}/sha256`));
    const names = await readdir(`${imagesDir}/quarantine`);
    return names.filter((name) => /^[0-9a-f]{64}$/.test(name) && !whole.has(name)).map((name) => parseDigest(name));
  }

  /** Uploads and downloads that run are cut off. */
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

  #pathFor(digest: Digest): string {
    return `${this.#options.imagesDir}/sha256/${digest}`;
  }

  async #look(digest: Digest): Promise<{ size: number; ageMs: number; sealed: boolean } | undefined> {
    try {
      const found = await stat(this.#pathFor(digest));
      if (!found.isFile()) return undefined;
      return { size: found.size, ageMs: Date.now() - found.ctimeMs, sealed: isSealed(found) };
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }

  #call<K extends CallName>(
    name: K,
    args: KeeperCalls[K]['args'],
    options: CallOptions = {},
  ): Promise<KeeperCalls[K]['result']> {
    const child = this.#child;
    if (child === undefined || !this.#ready) return Promise.reject(interrupted('it is being started'));
    this.#lastId += 1;
    const id = this.#lastId;
    const result = new Promise<KeeperCalls[K]['result']>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, onProgress: options.onProgress });
      this.#post(child, { kind: 'call', id, name, args });
    });
    const cancel = (): void => this.#post(child, { kind: 'cancel', id });
    options.signal?.addEventListener('abort', cancel, { once: true });
    return result.finally(() => options.signal?.removeEventListener('abort', cancel));
  }

  #hear(child: ChildProcess, message: FromKeeper): void {
    switch (message.kind) {
      case 'ready':
        break;
      case 'progress':
        this.#pending.get(message.id)?.onProgress?.(message);
        break;
      case 'done':
        // The process answers each call with the result of its name (keeper-messages.ts).
        this.#pending.get(message.id)?.resolve(message.result as never);
        this.#pending.delete(message.id);
        break;
      case 'failed':
        this.#pending.get(message.id)?.reject(errorOf(message.failure));
        this.#pending.delete(message.id);
        break;
      case 'authorize':
        this.#post(child, { kind: 'authorized', id: message.id, answer: this.#authorize(message.authorization) });
        break;
      case 'uploaded':
        this.#options.onUploaded(message.file, message.by);
        break;
      case 'fault':
        this.#options.log.error({ fault: message.message }, 'process that keeps images');
        break;
    }
  }

  #authorize(authorization: string | undefined) {
    try {
      return { by: this.#options.authorize(authorization) };
    } catch (error) {
      return { refused: failureOf(error) ?? unexpected };
    }
  }

  #post(child: ChildProcess, message: ToKeeper): void {
    child.send(message, (error) => {
      if (error !== null && !this.#closing)
        this.#options.log.error({ error }, 'process that keeps images cannot be reached');
    });
  }

  #startAgain(pause: number): void {
    this.#restart = setTimeout(() => {
      // A failure leads here again, by its exit.
      this.start().catch((error: unknown) => this.#options.log.error({ error }, 'no imports of images at the moment'));
    }, pause);
  }
}

function interrupted(how: string): Error {
  return unavailable(`the process that keeps images is not there (${how})`, { remedy: 'try again in a moment' });
}
