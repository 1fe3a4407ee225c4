import { sql } from 'kysely';
import type { Migration } from '../migrations.js';

// Frozen with the first release. `strict` tables: SQLite then refuses a text in a number column.
const STATEMENTS = [
  'create table systems (name text primary key, body text not null) strict, without rowid',
  'create table roles (name text primary key, body text not null) strict, without rowid',
  `create table role_systems (
     role text not null references roles (name) on delete cascade,
     system text not null references systems (name),
     primary key (role, system)) strict, without rowid`,
  'create index role_systems_by_system on role_systems (system)',
  `create table machines (
     name text primary key,
     uuid text unique,
     address integer unique,
     role text references roles (name),
     body text not null) strict, without rowid`,
  'create index machines_by_role on machines (role)',
  `create table machine_macs (
     mac text primary key,
     machine text not null references machines (name) on delete cascade) strict, without rowid`,
  'create index machine_macs_by_machine on machine_macs (machine)',
  // autoincrement: a sequence number is never used twice, not even when the newest rows were pruned.
  `create table changes (
     sequence integer primary key autoincrement,
     at_ms integer not null, by text not null, kind text not null, action text not null, name text not null,
     fields text not null) strict`,
  `create table images (
     name text not null, version text not null, kind text not null, files text not null, created_ms integer not null,
     primary key (name, version)) strict, without rowid`,
  `create table image_tags (
     name text not null, tag text not null, version text not null,
     primary key (name, tag),
     foreign key (name, version) references images (name, version) on delete cascade) strict, without rowid`,
  'create index image_tags_by_version on image_tags (name, version)',
  `create table leases (
     address integer primary key,
     mac text not null, client_id text, hostname text, state text not null,
     started_s integer not null, expires_s integer not null) strict`,
  'create table observed (key text primary key, body text not null) strict, without rowid',
  'create table sessions (id text primary key, key text not null, opened_ms integer not null, body text not null) strict',
  'create index sessions_by_key on sessions (key, opened_ms)',
  'create index sessions_by_time on sessions (opened_ms)',
  'create table claims (session text primary key, body text not null) strict, without rowid',
  `create table events (
     sequence integer primary key autoincrement,
     at_ms integer not null, source text not null, kind text not null, level text not null,
     session text, machine text, mac text, message text not null, data text not null) strict`,
  'create index events_by_session on events (session) where session is not null',
  'create index events_by_machine on events (machine) where machine is not null',
  'create index events_by_mac on events (mac) where mac is not null',
  'create table tokens (name text primary key, hash text not null unique, created_ms integer not null) strict, without rowid',
  'create table settings (key text primary key, value text not null) strict, without rowid',
];

export const firstTables: Migration = {
  number: 1,
  name: 'first tables',
  async up(database) {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(database);
  },
};
