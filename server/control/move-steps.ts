import { randomBytes } from 'node:crypto';
import type { MovedStorage, MovePlan } from '../decide/move.js';
import { unavailable } from '../domain/errors.js';
import type { MoveProgress } from '../domain/job.js';
import type { SshOptions, SshSession } from './ssh-session.js';

/** How one of the two machines is asked. */
export interface Ask {
  readonly machine: string;
  /** Rejects when the machine has no door. */
  readonly open: (options: SshOptions) => Promise<SshSession>;
  /** Breaks off what is under way. */
  readonly signal?: AbortSignal;
  /** The device that may be formatted with a label. */
  readonly disk: (label: string) => string | undefined;
}

export interface MoveStepsDeps {
  readonly id: string;
  readonly plan: MovePlan;
  readonly source: Ask;
  readonly target: Ask;
  /** A line for people. */
  readonly tell: (text: string) => void;
  readonly progress: (more: Partial<MoveProgress>) => Promise<void>;
}

/** One system's data as it has come. */
export interface CopiedStorage {
  readonly storage: MovedStorage;
  readonly text: string;
}

type Told = ReadonlyMap<string, string>;
type Fields = Readonly<Record<string, string | number | undefined>>;

/** The steps of one move in their order, on both machines (boot-assets/live-debian/lib/move.sh). Each rejects with its reason. */
export class MoveSteps {
  readonly #deps: MoveStepsDeps;

  constructor(deps: MoveStepsDeps) {
    this.#deps = deps;
  }

  get progress(): MoveStepsDeps['progress'] {
    return this.#deps.progress;
  }

  /** Whether it can be done, before anything is stopped: what is there, and whether the other machine has the labels and the room. */
  async check(): Promise<void> {
    const { plan, target, tell } = this.#deps;
    const totalBytes = await this.#measure();
    const ofLabel = new Map<string, number>();
    for (const [storage, bytes] of totalBytes) {
      const sum = (ofLabel.get(storage.label) ?? 0) + bytes;
      ofLabel.set(storage.label, sum);
      await this.#ask(target, 'room', storage, { device: target.disk(storage.label), bytes: sum });
    }
    tell(
      `${plan.from} stops the systems of role ${plan.role}: ${mib(sumOf(totalBytes))} are to be copied to ${plan.to}`,
    );
  }

  /** The source asks what it shall run, which is nothing now; its answer comes when they have ended. */
  async stop(): Promise<void> {
    const { source, progress } = this.#deps;
    await progress({ phase: 'stopping' });
    const id = `stop-${randomBytes(8).toString('hex')}`;
    await asked(source, { words: ['job'], input: textOf({ id, kind: 'refresh' }) });
  }

  async copy(): Promise<readonly CopiedStorage[]> {
    const { plan, progress, tell } = this.#deps;
    const sizes = await this.#measure();
    const totalBytes = sumOf(sizes);
    const copied: CopiedStorage[] = [];
    let before = 0;
    for (const [storage, bytes] of sizes) {
      await progress({ phase: 'copying', system: storage.system, bytes: before, totalBytes });
      const digest = await this.#copyOne(storage, bytes, (done) => {
        void progress({ bytes: before + Math.min(done, bytes), totalBytes });
      });
      before += bytes;
      await progress({ bytes: before, totalBytes });
      const text = `${storage.system}: ${storage.path} on ${storage.label}, ${bytes} bytes, sha256 ${digest}`;
      tell(`${text}, the same on ${plan.from} and ${plan.to}`);
      copied.push({ storage, text });
    }
    return copied;
  }

  /** On the target, into use. */
  async take(): Promise<void> {
    for (const storage of this.#deps.plan.storages) await this.#ask(this.#deps.target, 'take', storage);
  }

  /** On the source, out of use: it would be old when the role comes back. */
  async putAside(): Promise<void> {
    for (const storage of this.#deps.plan.storages) await this.#ask(this.#deps.source, 'put-aside', storage);
  }

  /** Bytes of each stream, as tar counts them. */
  async #measure(): Promise<ReadonlyMap<MovedStorage, number>> {
    const sizes = new Map<MovedStorage, number>();
    for (const storage of this.#deps.plan.storages)
      sizes.set(storage, numberOf(await this.#ask(this.#deps.source, 'measure', storage), 'bytes'));
    return sizes;
  }

  /** From process to process: the bytes do not pass through this one. Answers their digest. */
  async #copyOne(storage: MovedStorage, bytes: number, onBytes: (done: number) => void): Promise<string> {
    const { id, source, target } = this.#deps;
    let isReady = (): void => undefined;
    const ready = new Promise<void>((resolve) => {
      isReady = resolve;
    });
    const fields = { device: target.disk(storage.label), bytes };
    const into = await opened(target, {
      ...request(id, 'receive', storage, fields),
      onTold: (key, value) => {
        if (key === 'ready') isReady();
        if (key === 'bytes' && /^\d{1,15}$/.test(value)) onBytes(Number(value));
      },
    });
    let from: SshSession | undefined;
    // One that refused has ended, and nothing is read for it.
    if (await Promise.race([ready.then(() => true), into.ended.then(() => false)])) {
      from = await opened(source, { ...request(id, 'send', storage), into: await into.giveInput() });
      from.endInput();
    }
    const [sent, got] = await Promise.all([from?.ended, into.ended]);
    // What the target says comes first: a disk that is full ends the source's stream, too.
    const targetDigest = answered(target, got).get('digest');
    const sourceDigest = sent === undefined ? undefined : answered(source, sent).get('digest');
    if (sourceDigest === undefined || sourceDigest !== targetDigest)
      throw unavailable(
        `${storage.system}: the copy differs: sha256 ${sourceDigest ?? 'unknown'} on ${source.machine}, ${targetDigest ?? 'unknown'} on ${target.machine}`,
        { remedy: 'look at the memory and disks of both, and move it again' },
      );
    return sourceDigest;
  }

  #ask(ask: Ask, what: string, storage: MovedStorage, fields: Fields = {}): Promise<Told> {
    return asked(ask, request(this.#deps.id, what, storage, fields));
  }
}

/** What a move that failed has left on its target. */
export async function discardCopies(id: string, storages: readonly MovedStorage[], target: Ask): Promise<void> {
  for (const storage of storages) await asked(target, request(id, 'discard', storage));
}

function request(
  id: string,
  what: string,
  { system, label, path, form }: MovedStorage,
  fields: Fields = {},
): Pick<SshOptions, 'words' | 'input'> {
  return { words: ['storage'], input: textOf({ do: what, id, system, label, path, form, ...fields }) };
}

function textOf(fields: Fields): string {
  const lines = Object.entries(fields).flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}\n`]));
  return `${lines.join('')}\n`;
}

async function opened({ open, signal }: Ask, options: SshOptions): Promise<SshSession> {
  signal?.throwIfAborted();
  const session = await open(options);
  const close = (): void => session.close();
  signal?.addEventListener('abort', close);
  void session.ended.then(() => signal?.removeEventListener('abort', close));
  return session;
}

async function asked(ask: Ask, options: SshOptions): Promise<Told> {
  const session = await opened(ask, options);
  session.endInput();
  return answered(ask, await session.ended);
}

/** Throws with what the machine, or ssh, said. */
function answered({ machine }: Ask, end: Awaited<SshSession['ended']>): Told {
  const { told, reason } = end;
  if (told.get('state') === 'done') return told;
  throw unavailable(`${machine}: ${told.get('error') ?? told.get('message') ?? reason}`);
}

function numberOf(told: Told, key: string): number {
  const text = told.get(key) ?? '';
  return /^\d{1,15}$/.test(text) ? Number(text) : 0;
}

function sumOf(sizes: ReadonlyMap<MovedStorage, number>): number {
  let sum = 0;
  for (const bytes of sizes.values()) sum += bytes;
  return sum;
}

function mib(bytes: number): string {
  return `${Math.ceil(bytes / 1_048_576)} MiB`;
}
