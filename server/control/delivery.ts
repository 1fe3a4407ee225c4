import { setTimeout as delay } from 'node:timers/promises';
import { type JobEvent, lastsWithItsConnection } from '../decide/job-step.js';
import type { ControlDoor } from '../domain/control-door.js';
import { isOpen, type Job } from '../domain/job.js';
import { ConnectionSlots } from './connection-slots.js';
import { logsText, requestText, resultOf } from './job-request.js';
import { type OpenJob, takeCare } from './open-job.js';
import type { SshClient, SshOptions, SshSession } from './ssh-session.js';

export interface DeliveryDeps {
  readonly ssh: SshClient;
  readonly clock: () => number;
  readonly connections: number;
  readonly doorOf: (machine: string) => ControlDoor | undefined;
  /** When its live OS was heard last, epoch ms. */
  readonly heardAt: (machine: string) => number | undefined;
  readonly step: (open: OpenJob, event: JobEvent) => Promise<void>;
  /** A connection of this machine ended: somebody else may be next. */
  readonly done: (machine: string) => void;
}

/** A machine that has missed two heartbeats may well be off: it must not hold up those that answer. */
const SUSPECT_MS = 25_000;
const SUSPECT_CONNECTIONS = 8;
/** Nor may one that was cut off just now. Who has not let us in by then, while others wait, is tried again as a suspect. */
const HURRY_MS = 3000;
const SUSPECT_AGAIN_MS = 60_000;
const LONGEST_PAUSE_MS = 60_000;
/** A job that takes longer gives its connection to those who wait, and asks for its result later. */
const TURN_MS = 5000;

/** Brings jobs to machines and results back: one connection each, so many at once, tried again until it works or expires. */
export class Delivery {
  readonly #deps: DeliveryDeps;
  readonly #slots: ConnectionSlots;
  readonly #suspects: ConnectionSlots;
  readonly #resizing = new Set<OpenJob>();
  /** When a machine did not let us in within HURRY_MS. */
  readonly #slow = new Map<string, number>();
  readonly #busy = new Set<Promise<void>>();
  #closed = false;

  constructor(deps: DeliveryDeps) {
    this.#deps = deps;
    this.#slots = new ConnectionSlots(deps.connections);
    this.#suspects = new ConnectionSlots(Math.min(SUSPECT_CONNECTIONS, Math.max(1, deps.connections >> 2)));
  }

  /** Takes care of it if it can be sent now; else nothing: it is offered again. */
  offer(open: OpenJob): void {
    const door = this.#deps.doorOf(open.job.machine);
    if (this.#closed || open.busy || !isOpen(open.job) || open.job.acceptedAt !== undefined || door === undefined)
      return;
    // What may have run in one boot is never sent in another.
    if (open.job.session !== undefined && open.job.session !== door.session) return;
    const { clock } = this.#deps;
    if (clock() < open.nextTryAt && door.registeredAt < open.triedAt) return;
    takeCare(
      open,
      this.#busy,
      () => this.#run(open),
      () => {
        if (!this.#closed) this.#deps.done(open.job.machine);
      },
    );
  }

  /** The command of a cancelled job is killed, if the machine can be asked. */
  async cancelOnMachine(job: Job): Promise<void> {
    await this.#ask(job.machine, ['cancel', job.id]);
  }

  /** The newest size counts: while one is on its way the next waits, and those in between are left out. */
  async resize(open: OpenJob): Promise<void> {
    if (this.#resizing.has(open)) return;
    this.#resizing.add(open);
    try {
      for (let told = ''; isOpen(open.job) && open.terminal !== undefined; ) {
        const { columns, rows } = open.terminal;
        if (told === `${columns} ${rows}`) return;
        told = `${columns} ${rows}`;
        await this.#ask(open.job.machine, ['resize', open.job.id, String(columns), String(rows)]);
      }
    } finally {
      this.#resizing.delete(open);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#suspects.close();
    this.#slots.close();
    await this.#deps.ssh.close();
    await Promise.all(this.#busy);
  }

  async #run(open: OpenJob): Promise<void> {
    const { clock } = this.#deps;
    const { job } = open;
    const group = job.batch ?? `by ${job.by}`;
    const heard = (): number => this.#heardAt(job.machine);
    const suspect = this.#isSuspect(job.machine);
    const letSuspect = suspect ? await this.#suspects.take(group, heard) : undefined;
    try {
      // Heard last, served first: when a row of racks lost its power, its machines are soon behind all others.
      const release = await this.#slots.take(group, heard);
      if (release === undefined) return;
      try {
        await this.#connect(open, suspect);
      } catch (error) {
        // Of this server, not of the machine: no room for the file of its host key, no more processes.
        const reason = error instanceof Error ? error.message : String(error);
        this.#pause(open);
        await this.#deps.step(open, { kind: 'unreached', at: clock(), reason });
      } finally {
        release();
      }
    } finally {
      letSuspect?.();
    }
  }

  /** When its live OS was heard last, or has registered. */
  #heardAt(machine: string): number {
    return Math.max(this.#deps.heardAt(machine) ?? 0, this.#deps.doorOf(machine)?.registeredAt ?? 0);
  }

  #isSuspect(machine: string): boolean {
    const now = this.#deps.clock();
    const slowAt = this.#slow.get(machine);
    if (slowAt !== undefined && now - slowAt < SUSPECT_AGAIN_MS) return true;
    this.#slow.delete(machine);
    return now - this.#heardAt(machine) > SUSPECT_MS;
  }

  async #connect(open: OpenJob, suspect: boolean): Promise<void> {
    const { ssh, clock, doorOf, step } = this.#deps;
    // It waited for its turn: all may be different now.
    const door = doorOf(open.job.machine);
    if (this.#closed || !isOpen(open.job) || door === undefined) return;
    if (open.job.session !== undefined && open.job.session !== door.session) return;
    open.triedAt = clock();
    if (open.job.session === undefined) await step(open, { kind: 'sending', at: clock(), session: door.session });
    // The machine tells all of it again when it is asked again.
    let known = open.output.total;
    let entered = false;
    let hurried = false;
    const session = await ssh.open(door, {
      ...whatToAsk(open),
      onOutput: (chunk) => {
        const skip = Math.min(known, chunk.length);
        known -= skip;
        if (skip < chunk.length) open.output.append(chunk.subarray(skip));
      },
      onEntered: () => {
        entered = true;
        this.#slow.delete(open.job.machine);
        void step(open, { kind: 'entered', at: clock() });
      },
    });
    const hurry = setInterval(() => {
      if (entered || suspect || this.#slots.waiting === 0 || lastsWithItsConnection(open.job)) return;
      hurried = true;
      this.#slow.set(open.job.machine, clock());
      session.close();
    }, HURRY_MS);
    open.connection = session;
    if (open.job.kind !== 'console') session.endInput();
    const turn = new AbortController();
    const gaveWay = this.#giveWay(open, session, turn.signal);
    if (lastsWithItsConnection(open.job)) open.output.onSlow = (slow) => (slow ? session.pause() : session.resume());
    const end = await session.ended;
    clearInterval(hurry);
    turn.abort();
    if (this.#closed) return;
    const reason = hurried && !end.entered ? 'it did not let us in at once, and others waited' : end.reason;
    await this.#conclude(open, { ...end, reason }, await gaveWay);
  }

  async #conclude(open: OpenJob, end: Awaited<SshSession['ended']>, gaveWay: boolean): Promise<void> {
    const { clock, step } = this.#deps;
    const at = clock();
    const lasting = lastsWithItsConnection(open.job);
    const result =
      resultOf(end.told) ?? (open.job.kind === 'console' && end.entered ? { state: 'done' as const } : undefined);
    if (result !== undefined) {
      open.failures = 0;
      await step(open, { kind: 'answered', at, result });
      return;
    }
    this.#pause(open, gaveWay);
    if (gaveWay) return;
    const why = lasting ? `the connection ended: ${end.reason}` : end.reason;
    await step(open, { kind: end.entered ? 'broken' : 'unreached', at, reason: end.entered ? why : end.reason });
  }

  /** 1 s, 2 s, 4 s … a minute between tries in a row. */
  #pause(open: OpenJob, gaveWay = false): void {
    open.failures = gaveWay ? 0 : open.failures + 1;
    const pause = gaveWay ? TURN_MS : Math.min(LONGEST_PAUSE_MS, 500 * 2 ** Math.min(open.failures, 10));
    open.nextTryAt = this.#deps.clock() + pause;
  }

  /** Resolves to whether the connection was given to somebody else. Who is listened to, or has no id on the machine, keeps it. */
  async #giveWay(open: OpenJob, session: SshSession, ended: AbortSignal): Promise<boolean> {
    if (lastsWithItsConnection(open.job)) return false;
    for (;;) {
      try {
        await delay(TURN_MS, undefined, { signal: ended });
      } catch (error) {
        if (ended.aborted) return false;
        throw error;
      }
      if (this.#slots.waiting === 0 || open.output.readers > 0 || open.job.state !== 'sent') continue;
      session.close();
      return true;
    }
  }

  /** A short word without a job. */
  async #ask(machine: string, words: readonly string[]): Promise<void> {
    const door = this.#deps.doorOf(machine);
    const release = door === undefined ? undefined : await this.#slots.take(`words to ${machine}`);
    if (door === undefined || release === undefined) return;
    try {
      const session = await this.#deps.ssh.open(door, { words });
      session.endInput();
      await session.ended;
    } finally {
      release();
    }
  }
}

function whatToAsk({ job, terminal }: OpenJob): Pick<SshOptions, 'words' | 'input' | 'tty'> {
  if (job.kind === 'logs') return { words: ['logs'], input: logsText(job) };
  if (job.kind !== 'console') return { words: ['job'], input: requestText(job) };
  const { columns, rows, term } = terminal ?? { columns: 80, rows: 24, term: 'dumb' };
  const system = job.system === undefined ? [] : [job.system];
  return { words: ['console', job.id, String(columns), String(rows), ...system], tty: { term } };
}
