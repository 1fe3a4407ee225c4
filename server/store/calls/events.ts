import type { Kysely } from 'kysely';
import type { BootEvent } from '../../domain/event.js';
import type { Calls } from '../calls.js';
import { fromJson } from '../json.js';
import { Prepared, param } from '../prepared.js';
import type { EventRow, Tables } from '../tables.js';

type Values = Readonly<Record<string, string | number | null>>;
type StoredRow = { [K in keyof EventRow]: K extends 'sequence' ? number : EventRow[K] };

/** Old events go in steps of this many, so that no single append pays for more. */
const PRUNE_EVERY = 1000;

export function eventCalls(database: Kysely<Tables>, keep: number): Pick<Calls, 'appendEvents' | 'events'> {
  const insert = new Prepared<{ sequence: number }, Values>(
    database
      .insertInto('events')
      .values({
        at_ms: param<number>('at_ms'),
        source: param<string>('source'),
        kind: param<string>('kind'),
        level: param<string>('level'),
        session: param<string | null>('session'),
        machine: param<string | null>('machine'),
        mac: param<string | null>('mac'),
        message: param<string>('message'),
        data: param<string>('data'),
      })
      .returning('sequence'),
  );
  return {
    async appendEvents(connection, events) {
      const stored: BootEvent[] = [];
      let prune = false;
      for (const event of events) {
        const { at, source, kind, level, message, session = null, machine = null, mac = null } = event;
        const data = JSON.stringify(event.data);
        const { rows } = await insert.run(connection, {
          at_ms: at,
          source,
          kind,
          level,
          session,
          machine,
          mac,
          message,
          data,
        });
        const sequence = rows[0]?.sequence ?? 0;
        if (sequence % PRUNE_EVERY === 0) prune = true;
        stored.push({ ...event, sequence });
      }
      const newest = stored.at(-1)?.sequence ?? 0;
      if (prune) {
        await connection
          .deleteFrom('events')
          .where('sequence', '<=', newest - keep)
          .execute();
      }
      return stored;
    },
    async events(connection, filter) {
      let query = connection.selectFrom('events').selectAll();
      for (const column of ['session', 'machine', 'mac', 'source', 'level'] as const) {
        const wanted = filter[column];
        if (wanted !== undefined) query = query.where(column, '=', wanted);
      }
      if (filter.after !== undefined) query = query.where('sequence', '>', filter.after);
      const rows = await query
        .orderBy('sequence', filter.newestFirst === true ? 'desc' : 'asc')
        .limit(filter.limit)
        .execute();
      return rows.map(rowToEvent);
    },
  };
}

function rowToEvent(row: StoredRow): BootEvent {
  return {
    sequence: row.sequence,
    at: row.at_ms,
    source: row.source as BootEvent['source'],
    kind: row.kind,
    level: row.level as BootEvent['level'],
    ...(row.session === null ? {} : { session: row.session }),
    ...(row.machine === null ? {} : { machine: row.machine }),
    ...(row.mac === null ? {} : { mac: row.mac as NonNullable<BootEvent['mac']> }),
    message: row.message,
    data: fromJson<BootEvent['data']>(row.data),
  };
}
