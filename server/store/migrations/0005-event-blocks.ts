import { sql } from 'kysely';
import { EventBlock } from '../event-block.js';
import type { Migration } from '../migrations.js';

/** Old rows that are in memory at once. */
const STEP = 1000;

interface OldEvent {
  sequence: number;
  at_ms: number;
  source: string;
  kind: string;
  level: string;
  session: string | null;
  machine: string | null;
  mac: string | null;
  message: string;
  data: string;
}

/** Events in rows of many (ADR 12): one row and one index instead of a row with five indexes for each. */
export const eventBlocks: Migration = {
  number: 5,
  name: 'events in blocks',
  async up(database) {
    await sql`create table event_blocks (
      first integer primary key,
      count integer not null, sources integer not null, levels integer not null, marks blob not null,
      lines text not null) strict`.execute(database);
    let block: EventBlock | undefined;
    const put = async ({ first, count, sources, levels, marks, lines }: EventBlock): Promise<void> => {
      await database.insertInto('event_blocks').values({ first, count, sources, levels, marks, lines }).execute();
    };
    for (let after = 0; ; ) {
      const { rows } = await sql<OldEvent>`
        select * from events where sequence > ${after} order by sequence limit ${STEP}`.execute(database);
      for (const row of rows) {
        if (block !== undefined && (block.isFull || block.first + block.count !== row.sequence)) {
          await put(block);
          block = undefined;
        }
        block ??= new EventBlock(row.sequence);
        block.add(lineOf(row));
        after = row.sequence;
      }
      if (rows.length < STEP) break;
    }
    if (block !== undefined) await put(block);
    await sql`drop table events`.execute(database);
  },
};

function lineOf({ at_ms, source, kind, level, session, machine, mac, message, data }: OldEvent) {
  const event = {
    at: at_ms,
    source,
    kind,
    level,
    ...(session === null ? {} : { session }),
    ...(machine === null ? {} : { machine }),
    ...(mac === null ? {} : { mac }),
    message,
    data: JSON.parse(data),
  };
  return { text: JSON.stringify(event), source, level, keys: [session ?? '', machine ?? '', mac ?? ''] };
}
