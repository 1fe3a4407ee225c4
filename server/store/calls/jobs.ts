import type { Kysely } from 'kysely';
import type { Job } from '../../domain/job.js';
import type { Calls } from '../calls.js';
import { fromJson } from '../json.js';
import type { Tables } from '../tables.js';

const PRUNE_EVERY = 500;

export function jobCalls(keepJobs: number): Pick<Calls, 'saveJobs' | 'jobs' | 'job'> {
  let saves = 0;
  return {
    async saveJobs(database, jobs, output) {
      for (const job of jobs) {
        const { id, machine, batch = null, state, createdAt } = job;
        const changed = { state, body: JSON.stringify(job), ...(output == null ? {} : { output }) };
        await database
          .insertInto('jobs')
          .values({ id, machine, batch, created_ms: createdAt, output: '', ...changed })
          .onConflict((on) => on.column('id').doUpdateSet(changed))
          .execute();
      }
      saves += jobs.length;
      if (saves < PRUNE_EVERY) return;
      saves = 0;
      await prune(database, keepJobs);
    },
    async jobs(database, { machine, batch, state, open, before, limit }) {
      let query = database.selectFrom('jobs').select('body');
      if (machine != null) query = query.where('machine', '=', machine);
      if (batch != null) query = query.where('batch', '=', batch);
      if (state != null) query = query.where('state', '=', state);
      if (open === true) query = query.where('state', 'in', ['queued', 'sent']);
      if (before != null) query = query.where('created_ms', '<', before);
      const rows = await query.orderBy('created_ms', 'desc').orderBy('id', 'desc').limit(limit).execute();
      return rows.map(({ body }) => fromJson<Job>(body));
    },
    async job(database, id) {
      const row = await database.selectFrom('jobs').select(['body', 'output']).where('id', '=', id).executeTakeFirst();
      return row === undefined ? undefined : { job: fromJson<Job>(row.body), output: row.output };
    },
  };
}

/** Forgets the oldest that have ended. */
async function prune(database: Kysely<Tables>, keep: number): Promise<void> {
  const oldestKept = await database
    .selectFrom('jobs')
    .select('created_ms')
    .orderBy('created_ms', 'desc')
    .offset(keep)
    .limit(1)
    .executeTakeFirst();
  if (oldestKept === undefined) return;
  await database
    .deleteFrom('jobs')
    .where('created_ms', '<=', oldestKept.created_ms)
    .where('state', 'not in', ['queued', 'sent'])
    .execute();
}
