import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'vitest';
import { z } from 'zod';
import type { BootLab } from './lab-boot.js';

const jobSchema = z.object({
  id: z.string(),
  state: z.string(),
  exit: z.number().optional(),
  message: z.string().optional(),
  output: z.string(),
});
export type LabJob = z.output<typeof jobSchema>;
type Wish = Readonly<Record<string, unknown>>;

export const exec = (...command: readonly string[]) => ({ kind: 'exec', command });

/** Jobs for one machine of a lab, through the REST API. */
export class LabJobs {
  readonly #lab: BootLab;
  readonly #machine: string;

  constructor(lab: BootLab, machine = 'n1') {
    this.#lab = lab;
    this.#machine = machine;
  }

  async ask(wish: Wish): Promise<string> {
    const answer = await this.#lab.api.request('POST', `/machines/${this.#machine}/jobs`, { json: wish });
    return z.object({ id: z.string() }).parse(answer).id;
  }

  async show(id: string): Promise<LabJob> {
    return jobSchema.parse(await this.#lab.api.get(`/jobs/${id}`));
  }

  /** Until it has ended, over restarts of the server. `seconds`: of one that hangs; a busy machine is no reason to fail. */
  async ended(id: string, seconds = 240): Promise<LabJob> {
    const end = Date.now() + seconds * 1000;
    for (;;) {
      const job = await this.show(id).catch((error: unknown) => {
        if (Date.now() > end) throw error;
        return undefined;
      });
      if (job !== undefined && job.state !== 'queued' && job.state !== 'sent') return job;
      if (Date.now() > end) throw new Error(`job ${id} has not ended: ${JSON.stringify(job)}`);
      await wait(100);
    }
  }

  async done(wish: Wish): Promise<LabJob> {
    const job = await this.ended(await this.ask(wish));
    expect(job, JSON.stringify(job)).toMatchObject({ state: 'done' });
    return job;
  }

  /** KiB that each of so many new systems takes of what was available: once what only started them has ended, it stays below `limit`. */
  async eachTakesBelow(limit: number, before: number, systems: number): Promise<number> {
    let each = 0;
    const measure = async () => {
      each = (before - (await this.availableKiB())) / systems;
      return each;
    };
    await expect.poll(measure, { timeout: 120_000, interval: 1000 }).toBeLessThan(limit);
    return each;
  }

  /** KiB that programs of the machine could still take, without what is only remembered of files. */
  async availableKiB(): Promise<number> {
    const command = "sync; echo 3 >/proc/sys/vm/drop_caches; awk '/^MemAvailable/ { print $2 }' /proc/meminfo";
    return Number((await this.done(exec('sh', '-c', command))).output);
  }
}
