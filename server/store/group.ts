import { type CallName, type CallResults, type Calls, NOTHING_TO_UNDO } from './calls.js';
import type { OpenDatabase } from './database.js';
import type { Call, Outcome } from './messages.js';
import { storeError, toPlain } from './sqlite-error.js';

/**
 * Runs the calls in order in one transaction and commits once: one wait for the disk for all of them. A call that fails is rolled
 * back to where it began and fails alone; when the transaction itself fails (disk full, commit refused) all of them do. The outcomes
 * are in the order of the calls and true only because the commit is already on the disk.
 */
export async function runGroup(
  { kysely, run, inTransaction }: Pick<OpenDatabase, 'kysely' | 'run' | 'inTransaction'>,
  calls: Calls,
  group: readonly Call[],
  path: string,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  try {
    run('begin immediate');
    for (const call of group) {
      const outcome = NOTHING_TO_UNDO.has(call.name) ? runPlain(call) : runOne(call);
      outcomes.push(outcome instanceof Promise ? await outcome : outcome);
    }
    run('commit');
    return outcomes;
  } catch (error) {
    if (inTransaction()) run('rollback');
    const failure: Outcome = { ok: false, error: toPlain(storeError(error, path)) };
    return group.map(() => failure);
  }

  async function runOne(call: Call): Promise<Outcome> {
    run('savepoint call');
    try {
      const value = await answer(call);
      run('release call');
      return { ok: true, value };
    } catch (error) {
      // SQLite has given up the whole transaction (SQLITE_FULL, SQLITE_IOERR): the calls before this one are gone too.
      if (!inTransaction()) throw error;
      run('rollback to call');
      run('release call');
      return { ok: false, error: toPlain(storeError(error, path)) };
    }
  }

  /** Most answer at once: to wait for them would cost as much as SQLite needs for the row. */
  function runPlain(call: Call): Promise<Outcome> | Outcome {
    try {
      const value = answer(call);
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

  /** This thread has one connection and does one thing at a time: what a call asks of Kysely is in the transaction. */
  function answer<K extends CallName>(call: Call<K>): Promise<CallResults[K]> | CallResults[K] {
    return calls[call.name](kysely, ...call.args);
  }
}
