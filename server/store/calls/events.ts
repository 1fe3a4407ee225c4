import type { Kysely } from 'kysely';
import type { BootEvent, NewEvent } from '../../domain/event.js';
import type { EventFilter } from '../../domain/ports.js';
import type { Calls } from '../calls.js';
import { BLOCK_EVENTS, EventBlock, KEY_COLUMNS, mayHold } from '../event-block.js';
import { linesOf } from '../event-lines.js';
import { fromJson } from '../json.js';
import { type Prepare, Prepared, param } from '../prepared.js';
import type { Tables } from '../tables.js';

/** Old blocks go in steps of this many events, so that no single append pays for more. */
const PRUNE_EVERY = 1000;
/** Heads that are read at once when events are looked for: first a few, since the newest are asked for most. */
const FEW_HEADS = 8;
const MANY_HEADS = 512;

type BlockValues = {
  first: number;
  count: number;
  sources: number;
  levels: number;
  marks: Uint8Array;
  lines: string;
};

export function eventCalls(
  database: Kysely<Tables>,
  prepare: Prepare,
  keep: number,
): Pick<Calls, 'appendEvents' | 'events'> {
  const columns = {
    count: param<number>('count'),
    sources: param<number>('sources'),
    levels: param<number>('levels'),
    marks: param<Uint8Array>('marks'),
    lines: param<string>('lines'),
  };
  const put = new Prepared<BlockValues>(
    database
      .insertInto('event_blocks')
      .values({ first: param<number>('first'), ...columns })
      .onConflict((on) => on.column('first').doUpdateSet(columns)),
    prepare,
  );
  const newest = new Prepared<Record<string, never>>(
    database.selectFrom('event_blocks').select(['first', 'count']).orderBy('first', 'desc').limit(1),
    prepare,
  );
  const whole = new Prepared<{ first: number }>(
    database.selectFrom('event_blocks').selectAll().where('first', '=', param<number>('first')),
    prepare,
  );
  let last: EventBlock | undefined;

  /** The block that takes the next event. What is in memory holds only if the transaction that wrote it was not rolled back. */
  function lastBlock(): EventBlock {
    const stored = newest.row<{ first: number; count: number }>({});
    if (stored === undefined) last = new EventBlock(1);
    else if (last === undefined || last.first !== stored.first || last.count !== stored.count) {
      const row = whole.row<BlockValues>({ first: stored.first });
      last =
        row === undefined ? new EventBlock(stored.first + stored.count) : new EventBlock(row.first, row, row.lines);
    }
    return last;
  }

  return {
    appendEvents(connection, texts) {
      let block = lastBlock();
      const begun = block.first + block.count;
      for (const line of linesOf(texts)) {
        if (block.isFull) {
          put.run(block);
          block = new EventBlock(block.first + block.count);
        }
        block.add(line);
      }
      last = block;
      if (texts.count === 0) return begun;
      put.run(block);
      const next = begun + texts.count;
      const isDue = Math.floor(next / PRUNE_EVERY) > Math.floor(begun / PRUNE_EVERY);
      return isDue ? pruned(connection, next - keep - BLOCK_EVENTS, begun) : begun;
    },
    async events(connection, filter) {
      const found: BootEvent[] = [];
      for await (const first of blocksFor(connection, filter)) {
        const row = await connection
          .selectFrom('event_blocks')
          .select('lines')
          .where('first', '=', first)
          .executeTakeFirst();
        const events = row === undefined ? [] : eventsOf(first, row.lines);
        if (filter.newestFirst === true) events.reverse();
        for (const event of events) {
          if (passes(event, filter)) found.push(event);
          if (found.length === filter.limit) return found;
        }
      }
      return found;
    },
  };
}

/** Whole blocks whose first event is this one or an older one. */
async function pruned(database: Kysely<Tables>, first: number, answer: number): Promise<number> {
  await database.deleteFrom('event_blocks').where('first', '<=', first).execute();
  return answer;
}

/** The first sequence of each block that may hold what is looked for, in the order in which events are wanted. */
async function* blocksFor(database: Kysely<Tables>, filter: EventFilter): AsyncGenerator<number> {
  const { after = 0, newestFirst = false } = filter;
  let from: number | undefined;
  for (let most = FEW_HEADS; ; most = MANY_HEADS) {
    let query = database
      .selectFrom('event_blocks')
      .select(['first', 'count', 'sources', 'levels', 'marks'])
      .where('first', '>', after - BLOCK_EVENTS);
    if (from !== undefined) query = query.where('first', newestFirst ? '<' : '>', from);
    const heads = await query
      .orderBy('first', newestFirst ? 'desc' : 'asc')
      .limit(most)
      .execute();
    for (const head of heads) if (mayHold(head, filter)) yield head.first;
    if (heads.length < most) return;
    from = heads.at(-1)?.first;
  }
}

function eventsOf(first: number, lines: string): BootEvent[] {
  return fromJson<NewEvent[]>(`[${lines.replaceAll('\n', ',')}]`).map((event, index) => ({
    ...event,
    sequence: first + index,
  }));
}

function passes(event: BootEvent, filter: EventFilter): boolean {
  if (filter.after !== undefined && event.sequence <= filter.after) return false;
  if (filter.source !== undefined && event.source !== filter.source) return false;
  if (filter.level !== undefined && event.level !== filter.level) return false;
  return KEY_COLUMNS.every((column) => filter[column] === undefined || event[column] === filter[column]);
}
