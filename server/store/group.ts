import { CompiledQuery, type Kysely } from 'kysely';
import { type CallName, type CallResults, type Calls, NOTHING_TO_UNDO } from './calls.js';
import type { OpenDatabase } from './database.js';
import type { Call, Outcome } from './messages.js';
import { storeError, toPlain } from './sqlite-error.js';
import type { Tables } from './tables.js';

const BEGIN = CompiledQuery.raw('begin immediate');
const COMMIT = CompiledQuery.raw('commit');
const ROLLBACK = CompiledQuery.raw('rollback');
const MARK = CompiledQuery.raw('savepoint call');
const KEEP = CompiledQuery.raw('release call');
const UNDO = CompiledQuery.raw('rollback to call');

/**
 * Runs the calls in order in one transaction and commits once: one wait for the disk for all of them. A call that fails is rolled
 * back to where it began and fails alone; when the transaction itself fails (disk full, commit refused) all of them do. The outcomes
 * are in the order of the calls and true only because the commit is already on the disk.
 */
export async function runGroup(
  { kysely, inTransaction }: Pick<OpenDatabase, 'kysely' | 'inTransaction'>,
  calls: Calls,
  group: readonly Call[],
  path: string,
): Promise<readonly Outcome[]> {
  return kysely.connection().execute(async (connection) => {
    const outcomes: Outcome[] = [];
    try {
      await connection.executeQuery(BEGIN);
      for (const call of group) {
        const outcome = NOTHING_TO_UNDO.has(call.name) ? runPlain(connection, call) : runOne(connection, call);
        outcomes.push(outcome instanceof Promise ? await outcome : outcome);
      }
      await connection.executeQuery(COMMIT);
      return outcomes;
    } catch (error) {
      if (inTransaction()) await connection.executeQuery(ROLLBACK);
      const failure: Outcome = { ok: false, error: toPlain(storeError(error, path)) };
      return group.map(() => failure);
    }
  });

  async function runOne(connection: Kysely<Tables>, call: Call): Promise<Outcome> {
    await connection.executeQuery(MARK);
    try {
      const value = await answer(connection, call);
      await connection.executeQuery(KEEP);
      return { ok: true, value };
    } catch (error) {
      // SQLite has given up the whole transaction (SQLITE_FULL, SQLITE_IOERR): the calls before this one are gone too.
      if (!inTransaction()) throw error;
      await connection.executeQuery(UNDO);
      await connection.executeQuery(KEEP);
      return { ok: false, error: toPlain(storeError(error, path)) };
    }
  }

  /** Most answer at once: to wait for them would cost as much as SQLite needs for the row. */
  function runPlain(connection: Kysely<Tables>, call: Call): Promise<Outcome> | Outcome {
    try {
      const value = answer(connection, call);
      if (!(value instanceof Promise)) return { ok: true, value };
      return value.then((later): Outcome => ({ ok: true, value: later }), failedAlone);
    } catch (error) {
      return failedAlone(error);
    }
  }

  function failedAlone(error: unknown): Outcome {
    if (!inTransaction()) throw error;
    return { ok: false, error: toPlain(storeError(error, path)) };
  }

  function answer<K extends CallName>(
    connection: Kysely<Tables>,
    call: Call<K>,
  ): Promise<CallResults[K]> | CallResults[K] {
    return calls[call.name](connection, ...call.args);
  }
}
