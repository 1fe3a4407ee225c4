import { sql } from 'kysely';
import type { Migration } from '../migrations.js';

const STATEMENTS = [
  'create table holdings (place text primary key, body text not null) strict, without rowid',
  'create table role_leases (machine text primary key, body text not null) strict, without rowid',
];

export const standbyTables: Migration = {
  number: 6,
  name: 'standby',
  async up(database) {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(database);
  },
};
