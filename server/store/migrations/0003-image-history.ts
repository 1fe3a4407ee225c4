import { sql } from 'kysely';
import type { Migration } from '../migrations.js';

// No foreign key: the history outlives the versions that it names.
const STATEMENTS = [
  'alter table images add column source text',
  `create table image_tag_moves (
     sequence integer primary key autoincrement,
     at_ms integer not null, by text not null, name text not null, tag text not null,
     from_version text, to_version text) strict`,
  'create index image_tag_moves_by_name on image_tag_moves (name)',
];

export const imageHistory: Migration = {
  number: 3,
  name: 'image history',
  async up(database) {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(database);
  },
};
