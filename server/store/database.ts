import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import Sqlite from 'better-sqlite3';
import { Kysely, SqliteDialect } from 'kysely';
import { migrate } from './migrations.js';
import type { Prepare } from './prepared.js';
import type { Tables } from './tables.js';

/** An open database: Kysely for the queries, and the connection below it for what only SQLite knows. */
export interface OpenDatabase {
  readonly kysely: Kysely<Tables>;
  /** A statement of the same connection, for the hot path. */
  readonly prepare: Prepare;
  /** Runs a statement without values: begins, marks and ends transactions. */
  run(text: string): void;
  /** True while a transaction is open; SQLite ends one by itself when the disk is full. */
  inTransaction(): boolean;
  /** Schema steps that ran now. */
  readonly migrated: readonly string[];
  close(): void;
}

/**
 * Opens (or makes) the database file, mode 0600 in a folder made with mode 0700, and brings its schema up to date. A second server
 * on the same file is refused. Throws SQLite's errors and `unavailable`.
 */
export async function openDatabase(path: string, now: number): Promise<OpenDatabase> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // SQLite would make it with the umask's mode and gives its -wal and -shm files the mode of this one.
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600);
  const lock = lockOut(path);
  const sqlite = new Sqlite(path);
  try {
    sqlite.pragma('busy_timeout = 5000');
    sqlite.pragma('journal_mode = WAL');
    // FULL: a commit is on the disk when it returns, over a power cut too (ADR 3).
    sqlite.pragma('synchronous = FULL');
    sqlite.pragma('foreign_keys = ON');
    sqlite.pragma('journal_size_limit = 67108864');
    // SQLite's own 2 MB do not hold the indexes of 30,000 machines: every insert would read and throw out pages.
    sqlite.pragma('cache_size = -65536');
    // Every 4 MB: leases wait while the log is looked after, and four times as much makes them wait four times as long.
    sqlite.pragma('wal_autocheckpoint = 1000');
    const statements = reusing(sqlite);
    const kysely = new Kysely<Tables>({ dialect: new SqliteDialect({ database: statements }) });
    const migrated = await migrate(kysely, now);
    const close = (): void => {
      sqlite.close();
      lock.close();
    };
    const prepare: Prepare = (text) => sqlite.prepare<unknown[]>(text);
    const run = (text: string): void => void statements.prepare(text).run([]);
    return { kysely, prepare, run, inTransaction: () => sqlite.inTransaction, migrated, close };
  } catch (error) {
    sqlite.close();
    lock.close();
    throw error;
  }
}

/**
 * Keeps every other anybios away from this database while leaving it readable to tools: an exclusive transaction on an empty file
 * beside it, held for life. The kernel drops it with the process, so a kill -9 needs no repair.
 */
function lockOut(path: string): Sqlite.Database {
  const file = `${path}.lock`;
  closeSync(openSync(file, 'a', 0o600));
  const lock = new Sqlite(file, { timeout: 500 });
  try {
    lock.exec('begin exclusive');
    return lock;
  } catch (error) {
    lock.close();
    throw error;
  }
}

/** Kysely prepares each statement anew; this hands it the one prepared before for the same text. */
function reusing(sqlite: Sqlite.Database): { prepare(text: string): Sqlite.Statement<unknown[]>; close(): void } {
  const statements = new Map<string, Sqlite.Statement<unknown[]>>();
  return {
    prepare(text) {
      let statement = statements.get(text);
      if (statement === undefined) {
        statement = sqlite.prepare<unknown[]>(text);
        // The texts are few (values are parameters), but filters and multi-row inserts vary: bounded all the same.
        if (statements.size >= 500) statements.clear();
        statements.set(text, statement);
      }
      return statement;
    },
    close: () => sqlite.close(),
  };
}
