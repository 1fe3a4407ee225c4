import { type JobWish, jobOrder, sameOrder } from '../decide/job-order.js';
import { lastsWithItsConnection } from '../decide/job-step.js';
import type { ControlDoor } from '../domain/control-door.js';
import { conflict, invalid, unavailable } from '../domain/errors.js';
import type { Job, JobOrder } from '../domain/job.js';
import type { Store } from '../domain/ports.js';
import { type OpenJob, type OpenJobs, openJob, type Terminal } from './open-job.js';

export interface SubmissionsDeps {
  readonly store: Pick<Store, 'saveJobs' | 'job'>;
  readonly open: OpenJobs;
  /** Epoch ms. */
  readonly clock: () => number;
  /** How long a job waits for a machine that cannot be reached, unless it says so itself. */
  readonly expirySeconds: number;
  /** Whether this server can send jobs at all. */
  readonly isPossible: () => boolean;
  readonly doorOf: (machine: string) => ControlDoor | undefined;
  /** Whether a system of this name is defined, or was reported by this machine (one that is to go may still be stopped). */
  readonly isSystem: (machine: string, system: string) => boolean;
  /** Throws with the reason why a job of kind `move` is impossible now. */
  readonly refuseMove: (order: JobOrder) => void;
  /** They are on disk and open. */
  readonly added: (fresh: readonly OpenJob[]) => void;
}

export interface Submission {
  /** Transaction id of the client; made when absent. */
  readonly id?: string | undefined;
  readonly batch?: string | undefined;
  readonly expirySeconds?: number | undefined;
  readonly terminal?: Terminal | undefined;
  readonly by: string;
}

/** Consoles and followed logs at once: the others need connections too. */
const MOST_LASTING = 16;

/** Takes jobs in: one id stands for one job, and nothing is begun that is not on disk. */
export class Submissions {
  readonly #deps: SubmissionsDeps;
  #running: Promise<unknown> = Promise.resolve();

  constructor(deps: SubmissionsDeps) {
    this.#deps = deps;
  }

  /** One job for each machine; all are on disk, or none. Throws `invalid`, or `conflict` when an id stands for another job. */
  take(
    machines: readonly string[],
    wish: JobWish,
    how: Submission,
    idOf: (machine: string) => string,
  ): Promise<readonly Job[]> {
    // One after the other: two requests with one id must not both find it new.
    const run = this.#running.then(() => this.#take(machines, wish, how, idOf));
    this.#running = run.catch(() => undefined);
    return run;
  }

  async idle(): Promise<void> {
    await this.#running;
  }

  async #take(
    machines: readonly string[],
    wish: JobWish,
    how: Submission,
    idOf: (machine: string) => string,
  ): Promise<readonly Job[]> {
    const { clock, store, open: openJobs } = this.#deps;
    const all: Job[] = [];
    const fresh: OpenJob[] = [];
    for (const machine of machines) {
      const order = jobOrder(machine, wish);
      const id = idOf(machine);
      const known = how.id === undefined ? undefined : (openJobs.get(id)?.job ?? (await store.job(id))?.job);
      if (known !== undefined) {
        if (!sameOrder(known, order))
          throw conflict(`id ${id} is another job (${known.kind} of ${known.machine})`, {
            field: 'id',
            remedy: 'an id stands for one job: leave it out, or take another',
          });
        all.push(known);
        continue;
      }
      if (order.system !== undefined && !this.#deps.isSystem(machine, order.system))
        throw invalid(
          `there is no system "${order.system}": it is not defined, and ${machine} reports none of that name`,
          {
            field: 'system',
            remedy: 'see: anybios system list',
          },
        );
      const now = clock();
      const expiresAt = now + (how.expirySeconds ?? this.#deps.expirySeconds) * 1000;
      const batch = how.batch === undefined ? {} : { batch: how.batch };
      const job: Job = { ...order, ...batch, id, by: how.by, state: 'queued', createdAt: now, expiresAt };
      all.push(job);
      fresh.push(openJob(job, now, how.terminal));
    }
    if (fresh.length === 0) return all;
    if (!this.#deps.isPossible())
      throw unavailable('this server has no key to enter its machines', { remedy: 'apt-get install openssh-client' });
    this.#refuseLasting(fresh);
    for (const { job } of fresh) if (job.kind === 'move') this.#deps.refuseMove(job);
    await store.saveJobs(fresh.map(({ job }) => job));
    for (const open of fresh) openJobs.add(open);
    this.#deps.added(fresh);
    return all;
  }

  #refuseLasting(fresh: readonly OpenJob[]): void {
    const lasting = (list: readonly OpenJob[]): number => list.filter(({ job }) => lastsWithItsConnection(job)).length;
    if (lasting(fresh) === 0) return;
    if (lasting(fresh) + lasting(this.#deps.open.all()) > MOST_LASTING)
      throw unavailable(`more than ${MOST_LASTING} consoles and logs are open`, { remedy: 'close some of them' });
    for (const { job } of fresh)
      if (this.#deps.doorOf(job.machine) === undefined)
        throw unavailable(`machine ${job.machine} takes no jobs now`, {
          remedy: `its live OS has not come up: anybios machine show ${job.machine}`,
        });
  }
}
