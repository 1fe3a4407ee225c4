import type { JobWish } from '../decide/job-order.js';
import { isFinishing, type JobEvent, lastsWithItsConnection, type MachineSigns, stepJob } from '../decide/job-step.js';
import type { MovePlan } from '../decide/move.js';
import type { ControlDoor } from '../domain/control-door.js';
import { conflict, notFound } from '../domain/errors.js';
import type { NewEvent } from '../domain/event.js';
import { isOpen, type Job } from '../domain/job.js';
import type { JobFilter, Store } from '../domain/ports.js';
import type { State } from '../state/state.js';
import { Delivery } from './delivery.js';
import { jobEvent } from './job-event.js';
import { KEPT_OUTPUT, keptText, type OutputReader } from './job-output.js';
import { Moves } from './moves.js';
import { type OpenJob, OpenJobs, openJob } from './open-job.js';
import type { SshClient } from './ssh-session.js';
import { type Submission, Submissions } from './submissions.js';

export interface JobsDeps {
  readonly store: Pick<Store, 'saveJobs' | 'jobs' | 'job'>;
  readonly state: State;
  readonly record: (event: Omit<NewEvent, 'at'>) => void;
  /** Undefined: this server has no key to enter machines with. */
  readonly ssh: SshClient | undefined;
  /** Epoch ms. */
  readonly clock: () => number;
  readonly newId: () => string;
  /** How long a job waits for a machine that cannot be reached, unless it says so itself. */
  readonly expirySeconds: number;
  /** A machine was switched off by a job that was sent in this boot of it. */
  readonly switchedOff: (machine: string, session: string | undefined) => void;
  /** Gives a role to another machine in the desired state. Throws `conflict` when that is not as planned any more. */
  readonly moveRole: (plan: MovePlan, by: string) => Promise<void>;
  readonly log: { error(data: object, message: string): void };
  /** At once; default 32. */
  readonly connections?: number;
}

const LOOK_MS = 1000;
/** A connection whose other end is gone is not held for ever: nobody has listened for so long. */
const UNHEARD_MS = 30_000;
/** As many as are read at a start. */
const MOST_OPEN = 100_000;

/** Jobs to machines, from being asked for to their result. What happens to one is decided in decide/job-step.ts. */
export class Jobs {
  readonly #deps: JobsDeps;
  readonly #open = new OpenJobs();
  readonly #delivery: Delivery | undefined;
  readonly #moves: Moves;
  readonly #submissions: Submissions;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(deps: JobsDeps) {
    this.#deps = deps;
    const { ssh, clock } = deps;
    if (ssh !== undefined) {
      this.#delivery = new Delivery({
        ssh,
        clock,
        connections: deps.connections ?? 32,
        doorOf: (machine) => this.#doorOf(machine),
        heardAt: (machine) => deps.state.observed.get(machine)?.heartbeatAt,
        step: (open, event) => this.#step(open, event),
        done: (machine) => this.#dispatch(machine),
      });
    }
    this.#moves = new Moves({
      ...deps,
      step: (open, event) => this.#step(open, event),
      done: (machine) => this.#dispatch(machine),
    });
    this.#submissions = new Submissions({
      ...deps,
      refuseMove: (order) => void this.#moves.plan(order),
      open: this.#open,
      isPossible: () => this.#delivery !== undefined && !this.#closed,
      doorOf: (machine) => this.#doorOf(machine),
      isSystem: (machine, system) =>
        deps.state.systems.has(system) ||
        deps.state.observed.get(machine)?.systems.some(({ name }) => name === system) === true,
      get expirySeconds() {
        return deps.expirySeconds;
      },
      added: (fresh) => {
        for (const { job } of fresh) this.#tell(job, 'api');
        for (const machine of new Set(fresh.map(({ job }) => job.machine))) this.#dispatch(machine);
      },
    });
  }

  /** Goes on with the jobs of the last run. */
  async start(): Promise<void> {
    const { store, clock } = this.#deps;
    const left = await store.jobs({ open: true, limit: MOST_OPEN });
    for (const job of [...left].reverse()) this.#open.add(openJob(job, clock()));
    for (const open of this.#open.all())
      if (lastsWithItsConnection(open.job))
        await this.#step(open, { kind: 'lost', at: clock(), reason: 'the server was restarted' });
    for (const open of this.#open.all()) if (open.job.kind === 'move') await this.#moves.resume(open);
    this.#timer = setInterval(() => this.look(), LOOK_MS);
    this.look();
  }

  /** Ends the connections; the jobs stay as they are and go on after the next start. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    const moves = this.#moves.close();
    await this.#delivery?.close();
    await moves;
    for (const open of this.#open.all()) open.output.end();
    await this.#submissions.idle();
  }

  /** Throws `invalid`, or `conflict` when the id stands for another job; the same one again is returned as it is. */
  async submit(machine: string, wish: JobWish, how: Submission): Promise<Job> {
    const [job] = await this.submitMany([machine], wish, how, () => how.id ?? this.#deps.newId());
    if (job === undefined) throw notFound(`there is no machine ${machine}`);
    return job;
  }

  /** One job for each machine; all are on disk, or none. `idOf` gives the id of a machine's job. */
  submitMany(
    machines: readonly string[],
    wish: JobWish,
    how: Submission,
    idOf: (machine: string) => string,
  ): Promise<readonly Job[]> {
    return this.#submissions.take(machines, wish, how, idOf);
  }

  async get(id: string): Promise<{ readonly job: Job; readonly output: string }> {
    const open = this.#open.get(id);
    if (open !== undefined) return { job: open.job, output: keptText(open.output.text) };
    const found = await this.#deps.store.job(id);
    if (found === undefined)
      throw notFound(`there is no job "${id.slice(0, 80)}"`, { remedy: 'see: anybios job list' });
    return found;
  }

  async list(filter: JobFilter): Promise<readonly Job[]> {
    const jobs = await this.#deps.store.jobs(filter);
    // What this process knows may be a little newer than what is on disk.
    return jobs.map((job) => this.#open.get(job.id)?.job ?? job);
  }

  /** Throws `not_found`, or `conflict` when it has ended. */
  async cancel(id: string, by: string): Promise<Job> {
    const open = this.#open.get(id);
    if (open === undefined) {
      const { job } = await this.get(id);
      throw conflict(`job ${id} has ended: ${job.state}`);
    }
    const { job } = open;
    if (isFinishing(job)) throw conflict(`job ${id}: all has come, the role changes hands now`);
    await this.#step(open, { kind: 'cancelled', at: this.#deps.clock(), by });
    if (job.state === 'sent' && job.kind === 'exec') void this.#delivery?.cancelOnMachine(job);
    open.connection?.close();
    return open.job;
  }

  /** What it writes, from the beginning (or what is kept of it) to its end. Returns what ends the reading. */
  async read(id: string, reader: OutputReader): Promise<() => void> {
    const open = this.#open.get(id);
    if (open === undefined) {
      reader.take(Buffer.from((await this.get(id)).output));
      reader.end();
      return () => undefined;
    }
    open.unheardSince = undefined;
    const leave = open.output.read(reader);
    return () => {
      leave();
      if (open.output.readers === 0) open.unheardSince = this.#deps.clock();
    };
  }

  /** The reader can take more again. */
  drained(id: string, reader: OutputReader): void {
    this.#open.get(id)?.output.drained(reader);
  }

  /** Keys for a console. Throws `conflict` when it has none (any more). */
  input(id: string, data: Buffer): void {
    const open = this.#console(id);
    if (open.connection === undefined) throw conflict('the console is not open yet');
    open.connection.write(data);
  }

  async resize(id: string, columns: number, rows: number): Promise<void> {
    const open = this.#console(id);
    open.terminal = { term: 'dumb', ...open.terminal, columns, rows };
    await this.#delivery?.resize(open);
  }

  #console(id: string): OpenJob {
    const open = this.#open.get(id);
    if (open === undefined || open.job.kind !== 'console' || !isOpen(open.job))
      throw conflict(`job ${id.slice(0, 80)} is no open console`);
    return open;
  }

  /** What has become of the machines, and whose turn it is. Every second; tests call it themselves. */
  look(): void {
    const { state, clock } = this.#deps;
    for (const open of this.#open.all()) {
      const { machine } = open.job;
      const at = clock();
      if (!state.machines.has(machine) && !state.observed.has(machine))
        void this.#step(open, { kind: 'lost', at, reason: 'the machine was removed' });
      else if (lastsWithItsConnection(open.job) && at - (open.unheardSince ?? at) > UNHEARD_MS)
        void this.#step(open, { kind: 'lost', at, reason: 'nobody listens to it any more' });
      else void this.#step(open, { kind: 'looked', at, seen: this.#signsOf(machine) });
      if (!isOpen(open.job)) open.connection?.close();
    }
    for (const machine of this.#open.machines()) this.#dispatch(machine);
  }

  #dispatch(machine: string): void {
    if (this.#closed) return;
    for (const open of this.#open.ready(machine))
      (open.job.kind === 'move' ? this.#moves : this.#delivery)?.offer(open);
  }

  /** Memory first, so that two steps at once are decided one after the other; resolves when it is on disk. */
  async #step(open: OpenJob, event: JobEvent): Promise<void> {
    const before = open.job;
    let next = stepJob(before, event);
    if (next === before) return;
    const ended = !isOpen(next);
    let output: string | undefined;
    if (ended) {
      const { text, total } = open.output;
      output = keptText(text);
      const outputBytes = next.outputBytes ?? total;
      const truncated = next.truncated === true || outputBytes > KEPT_OUTPUT;
      next = { ...next, outputBytes, ...(truncated ? { truncated } : {}) };
    }
    open.job = next;
    if (next.state !== before.state) this.#tell(next, 'server');
    if (next.state === 'done' && next.kind === 'poweroff') this.#deps.switchedOff(next.machine, next.session);
    if (ended) open.output.end();
    try {
      await this.#deps.store.saveJobs([next], output);
    } catch (error) {
      // It goes on in memory. After a restart the machine is asked for the result of the same id.
      this.#deps.log.error({ error, job: next.id }, 'a job could not be saved');
    }
    if (ended) {
      this.#open.remove(open);
      this.#dispatch(next.machine);
    }
  }

  #tell(job: Job, source: 'api' | 'server'): void {
    this.#deps.record(jobEvent(job, source, this.#deps.state.sessions.get(job.machine)));
  }

  #doorOf(machine: string): ControlDoor | undefined {
    return this.#deps.state.observed.get(machine)?.control;
  }

  #signsOf(machine: string): MachineSigns {
    const { sessions, observed } = this.#deps.state;
    const session = sessions.get(machine);
    const heartbeatAt = observed.get(machine)?.heartbeatAt;
    return {
      ...(session === undefined ? {} : { bootOpenedAt: session.openedAt }),
      ...(session?.claimedAt === undefined ? {} : { claimed: { session: session.id, at: session.claimedAt } }),
      ...(heartbeatAt === undefined ? {} : { heartbeatAt }),
    };
  }
}
