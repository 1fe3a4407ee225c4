import { sql } from 'kysely';
import type { Migration } from '../migrations.js';

// Lists ask for the warnings, or for one source, among a million events. Most are `info`: that level needs no index.
const STATEMENTS = [
  "create index events_by_level on events (level) where level <> 'info'",
  'create index events_by_source on events (source)',
];

export const eventIndexes: Migration = {
  number: 2,
  name: 'events by level and source',
  async up(database) {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(database);
  },
};
