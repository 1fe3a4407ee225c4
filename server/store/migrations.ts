import { type Kysely, sql } from 'kysely';
import { unavailable } from '../domain/errors.js';
import { firstTables } from './migrations/0001-first-tables.js';
import { eventIndexes } from './migrations/0002-event-indexes.js';
import { imageHistory } from './migrations/0003-image-history.js';
import { jobTables } from './migrations/0004-jobs.js';
import { eventBlocks } from './migrations/0005-event-blocks.js';
import { standbyTables } from './migrations/0006-standby.js';
import type { Tables } from './tables.js';

/** One step of the schema. Steps are never edited after a release: a change is a new step. */
export interface Migration {
  readonly number: number;
  readonly name: string;
  up(database: Kysely<Tables>): Promise<void>;
}

const MIGRATIONS: readonly Migration[] = [
  firstTables,
  eventIndexes,
  imageHistory,
  jobTables,
  eventBlocks,
  standbyTables,
];

/**
 * Brings the schema to this code's version; returns the names of the steps that ran. Each runs in a transaction of its own together
 * with its row in `migrations` (Kysely's own Migrator uses none with SQLite), so a kill in between leaves whole steps. Throws
 * `unavailable` for a database made by newer code: an old server must not write into tables it does not know.
 */
export async function migrate(
  database: Kysely<Tables>,
  now: number,
  steps: readonly Migration[] = MIGRATIONS,
): Promise<readonly string[]> {
  await sql`create table if not exists migrations (number integer primary key, name text not null, at_ms integer not null)`.execute(
    database,
  );
  const newest = await database.selectFrom('migrations').select('number').orderBy('number', 'desc').executeTakeFirst();
  const done = newest?.number ?? 0;
  const known = steps.at(-1)?.number ?? 0;
  if (done > known) {
    throw unavailable(`the database has schema ${done}, this anybios knows ${known} and older`, {
      remedy: 'start the newer anybios that wrote it, or restore a backup made before the upgrade',
    });
  }
  const ran: string[] = [];
  for (const step of steps.filter(({ number }) => number > done)) {
    await database.transaction().execute(async (transaction) => {
      await step.up(transaction);
      await transaction.insertInto('migrations').values({ number: step.number, name: step.name, at_ms: now }).execute();
    });
    ran.push(`${step.number} ${step.name}`);
  }
  return ran;
}
