import { lastsWithItsConnection } from '../decide/job-step.js';
import type { Job } from '../domain/job.js';
import { JobOutput } from './job-output.js';
import type { SshSession } from './ssh-session.js';

/** Of a terminal, as the person sees it. */
export interface Terminal {
  readonly columns: number;
  readonly rows: number;
  /** `xterm-256color`: what programs on the machine may use. */
  readonly term: string;
}

/** As much as the machine keeps of a command's output; of what has no end the newest. */
const FIRST_BYTES = 1 << 20;
const LAST_BYTES = 64 * 1024;

/** A job that has not ended, with what only this process knows of it. */
export interface OpenJob {
  job: Job;
  readonly output: JobOutput;
  terminal: Terminal | undefined;
  /** Somebody takes care of its connection now. */
  busy: boolean;
  connection: Pick<SshSession, 'write' | 'close'> | undefined;
  /** Tries in a row that reached nobody or got no result. */
  failures: number;
  triedAt: number;
  nextTryAt: number;
  /** Since when nobody listens to it (`logs`, `console`). */
  unheardSince: number | undefined;
}

export function openJob(job: Job, now: number, terminal?: Terminal): OpenJob {
  const lasts = lastsWithItsConnection(job);
  return {
    job,
    output: new JobOutput(lasts ? LAST_BYTES : FIRST_BYTES, lasts ? 'last' : 'first'),
    terminal,
    busy: false,
    connection: undefined,
    failures: 0,
    triedAt: 0,
    nextTryAt: 0,
    unheardSince: now,
  };
}

/** Takes care of a job until `run` is over; `busy` holds what a shutdown waits for. */
export function takeCare(open: OpenJob, busy: Set<Promise<void>>, run: () => Promise<void>, over: () => void): void {
  open.busy = true;
  const running = run().finally(() => {
    open.busy = false;
    open.connection = undefined;
    busy.delete(running);
    over();
  });
  busy.add(running);
}

/** The open jobs of each machine in the order in which they were asked for. */
export class OpenJobs {
  readonly #byId = new Map<string, OpenJob>();
  readonly #byMachine = new Map<string, OpenJob[]>();

  get(id: string): OpenJob | undefined {
    return this.#byId.get(id);
  }

  add(open: OpenJob): void {
    this.#byId.set(open.job.id, open);
    const queue = this.#byMachine.get(open.job.machine);
    if (queue === undefined) this.#byMachine.set(open.job.machine, [open]);
    else queue.push(open);
  }

  remove(open: OpenJob): void {
    this.#byId.delete(open.job.id);
    const rest = (this.#byMachine.get(open.job.machine) ?? []).filter((other) => other !== open);
    if (rest.length === 0) this.#byMachine.delete(open.job.machine);
    else this.#byMachine.set(open.job.machine, rest);
  }

  machines(): readonly string[] {
    return [...this.#byMachine.keys()];
  }

  all(): readonly OpenJob[] {
    return [...this.#byId.values()];
  }

  /**
   * Those of a machine that may be sent now as far as order is concerned: in the order in which they were asked for, one after the
   * other; but nobody waits for a command that runs, and who only listens waits for nobody.
   */
  ready(machine: string): readonly OpenJob[] {
    const ready: OpenJob[] = [];
    let blocked = false;
    for (const open of this.#byMachine.get(machine) ?? []) {
      const lasts = lastsWithItsConnection(open.job);
      if (!blocked || lasts) ready.push(open);
      if (!lasts && !(open.job.kind === 'exec' && open.job.state === 'sent')) blocked = true;
    }
    return ready;
  }
}
