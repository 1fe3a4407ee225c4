import { sql } from 'kysely';
import type { Migration } from '../migrations.js';

const STATEMENTS = [
  // The output stands apart from the job: lists do not read it.
  `create table jobs (
     id text primary key,
     machine text not null, batch text, state text not null, created_ms integer not null,
     body text not null, output text not null) strict`,
  'create index jobs_by_time on jobs (created_ms)',
  'create index jobs_by_machine on jobs (machine, created_ms)',
  'create index jobs_by_batch on jobs (batch) where batch is not null',
  // Of many thousand ended ones few are open: what a start of the server must know.
  "create index jobs_open on jobs (state) where state in ('queued', 'sent')",
];

export const jobTables: Migration = {
  number: 4,
  name: 'jobs',
  async up(database) {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(database);
  },
};
