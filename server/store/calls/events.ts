import type { Kysely } from 'kysely';
import type { BootEvent, NewEvent } from '../../domain/event.js';
import type { Calls } from '../calls.js';
import { fromJson } from '../json.js';
import { type Prepare, Prepared, param } from '../prepared.js';
import type { EventRow, Tables } from '../tables.js';

type Values = Readonly<Record<string, string | number | null>>;
type StoredRow = { [K in keyof EventRow]: K extends 'sequence' ? number : EventRow[K] };

/** Old events go in steps of this many, so that no single append pays for more. */
const PRUNE_EVERY = 1000;
/** Rows of one statement: the cost of running it is shared. What is left over goes one by one. */
const ROWS = 16;

export function eventCalls(
  database: Kysely<Tables>,
  prepare: Prepare,
  keep: number,
): Pick<Calls, 'appendEvents' | 'events'> {
  const one = prepareInsert(database, prepare, 1);
  const many = prepareInsert(database, prepare, ROWS);
  return {
    async appendEvents(connection, events) {
      const sequences: number[] = [];
      let prune = false;
      for (let at = 0; at < events.length; ) {
        const insert = events.length - at >= ROWS ? many : one;
        const values = events.slice(at, at + (insert === many ? ROWS : 1)).map(eventToRow);
        const last = insert.insert(values);
        for (let sequence = last - values.length + 1; sequence <= last; sequence++) {
          sequences.push(sequence);
          if (sequence % PRUNE_EVERY === 0) prune = true;
        }
        at += values.length;
      }
      if (prune) {
        await connection
          .deleteFrom('events')
          .where('sequence', '<=', (sequences.at(-1) ?? 0) - keep)
          .execute();
      }
      return sequences;
    },
    async events(connection, filter) {
      let query = connection.selectFrom('events').selectAll();
      for (const column of ['session', 'machine', 'mac', 'source', 'level'] as const) {
        const wanted = filter[column];
        if (wanted !== undefined) query = query.where(column, '=', wanted);
      }
      // Said again in the words of the index, or SQLite does not see that it fits.
      if (filter.level !== undefined && filter.level !== 'info') query = query.where('level', '<>', 'info');
      if (filter.after !== undefined) query = query.where('sequence', '>', filter.after);
      const rows = await query
        .orderBy('sequence', filter.newestFirst === true ? 'desc' : 'asc')
        .limit(filter.limit)
        .execute();
      return rows.map(rowToEvent);
    },
  };
}

function prepareInsert(database: Kysely<Tables>, prepare: Prepare, count: number): Prepared<Values> {
  const rows = Array.from({ length: count }, (_, row) => ({
    at_ms: param<number>('at_ms', row),
    source: param<string>('source', row),
    kind: param<string>('kind', row),
    level: param<string>('level', row),
    session: param<string | null>('session', row),
    machine: param<string | null>('machine', row),
    mac: param<string | null>('mac', row),
    message: param<string>('message', row),
    data: param<string>('data', row),
  }));
  return new Prepared(database.insertInto('events').values(rows), prepare);
}

function eventToRow(event: NewEvent): Values {
  const { at, source, kind, level, message, session = null, machine = null, mac = null } = event;
  return { at_ms: at, source, kind, level, session, machine, mac, message, data: JSON.stringify(event.data) };
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
