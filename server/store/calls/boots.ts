import type { Kysely } from 'kysely';
import type { BootSession } from '../../domain/boot-session.js';
import type { Calls } from '../calls.js';
import { fromJson } from '../json.js';
import { type Prepare, Prepared, param } from '../prepared.js';
import type { Tables } from '../tables.js';

type BootCalls =
  | 'saveObserved'
  | 'removeObserved'
  | 'forgetStranger'
  | 'saveSession'
  | 'sessions'
  | 'session'
  | 'saveClaim';

const PRUNE_EVERY = 1000;

export function bootCalls(database: Kysely<Tables>, prepare: Prepare, keepSessions: number): Pick<Calls, BootCalls> {
  const body = param<string>('body');
  const putObserved = new Prepared<{ key: string; body: string }>(
    database
      .insertInto('observed')
      .values({ key: param<string>('key'), body })
      .onConflict((on) => on.column('key').doUpdateSet({ body })),
    prepare,
  );
  // Steps and progress rewrite the open session of every booting machine.
  const sessionColumns = { key: param<string>('key'), opened_ms: param<number>('opened_ms'), body };
  const putSession = new Prepared<{ id: string; key: string; opened_ms: number; body: string }>(
    database
      .insertInto('sessions')
      .values({ id: param<string>('id'), ...sessionColumns })
      .onConflict((on) => on.column('id').doUpdateSet(sessionColumns)),
    prepare,
  );
  let saves = 0;
  return {
    saveObserved(_connection, { key, body }) {
      putObserved.run({ key, body });
    },
    async removeObserved(connection, key) {
      await connection.deleteFrom('observed').where('key', '=', key).execute();
    },
    async forgetStranger(connection, key) {
      await connection.deleteFrom('observed').where('key', '=', key).execute();
      await connection.deleteFrom('sessions').where('key', '=', key).execute();
    },
    saveSession(connection, { id, key, opened_ms, body }) {
      putSession.run({ id, key, opened_ms, body });
      saves += 1;
      return saves % PRUNE_EVERY === 0 ? pruneSessions(connection, keepSessions) : undefined;
    },
    async sessions(connection, { key, before, limit }) {
      const rows = await connection
        .selectFrom('sessions')
        .select('body')
        .$if(key !== undefined, (query) => query.where('key', '=', key ?? ''))
        .$if(before !== undefined, (query) => query.where('opened_ms', '<', before ?? 0))
        .orderBy('opened_ms', 'desc')
        .orderBy('id', 'desc')
        .limit(limit)
        .execute();
      return rows.map((row) => fromJson<BootSession>(row.body));
    },
    async session(connection, id) {
      const row = await connection.selectFrom('sessions').select('body').where('id', '=', id).executeTakeFirst();
      return row === undefined ? undefined : fromJson<BootSession>(row.body);
    },
    async saveClaim(connection, claim) {
      // Nothing ever reads a revoked claim again: an unknown nonce or credential is refused just the same.
      if (claim.revoked) {
        await connection.deleteFrom('claims').where('session', '=', claim.session).execute();
        return;
      }
      const text = JSON.stringify(claim);
      await connection
        .insertInto('claims')
        .values({ session: claim.session, body: text })
        .onConflict((on) => on.column('session').doUpdateSet({ body: text }))
        .execute();
    },
  };
}

/** Forgets the oldest sessions, but never the newest of a machine: it is what the machine's page shows. */
async function pruneSessions(database: Kysely<Tables>, keep: number): Promise<void> {
  const oldestKept = await database
    .selectFrom('sessions')
    .select('opened_ms')
    .orderBy('opened_ms', 'desc')
    .offset(keep)
    .limit(1)
    .executeTakeFirst();
  if (oldestKept === undefined) return;
  await database
    .deleteFrom('sessions')
    .where('opened_ms', '<=', oldestKept.opened_ms)
    .where(({ exists, selectFrom }) =>
      exists(
        selectFrom('sessions as newer')
          .select('newer.id')
          .whereRef('newer.key', '=', 'sessions.key')
          .whereRef('newer.opened_ms', '>', 'sessions.opened_ms'),
      ),
    )
    .execute();
}
