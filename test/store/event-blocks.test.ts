import { copyFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { CompiledQuery } from 'kysely';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseMac } from '../../server/domain/mac.js';
import { openDatabase } from '../../server/store/database.js';
import { BLOCK_EVENTS, EventBlock, mayHold } from '../../server/store/event-block.js';
import { linesOf, toEventTexts } from '../../server/store/event-lines.js';
import { reserveLog } from '../../server/store/reserve-log.js';
import { tempFolder } from '../support/temp-folder.js';
import { event, freshStore } from './store-fixture.js';

const mac = (n: number) => parseMac(`5254${n.toString(16).padStart(8, '0')}`);

describe('a block of events', () => {
  it('knows every key that is in it, and few that are not', () => {
    const block = new EventBlock(1);
    for (let n = 0; !block.isFull; n++) {
      const [line] = linesOf(toEventTexts([event({ session: `s${n}`, machine: `m${n}`, mac: mac(n) })]));
      if (line !== undefined) block.add(line);
    }
    expect(block.count).toBe(BLOCK_EVENTS);
    const numbers = Array.from({ length: 1000 }, (_, n) => n);
    const inside = numbers.slice(0, block.count);
    expect(inside.every((n) => mayHold(block, { session: `s${n}`, machine: `m${n}`, mac: mac(n) }))).toBe(true);
    const others = numbers.slice(block.count);
    // 1 in 30 by the mathematics of the filter: 29 of these 872.
    expect(others.filter((n) => mayHold(block, { session: `s${n}` })).length).toBeLessThan(60);
    expect(mayHold(block, { source: 'dhcp', level: 'info' })).toBe(true);
    expect(mayHold(block, { source: 'tftp' })).toBe(false);
    expect(mayHold(block, { level: 'error' })).toBe(false);
    expect(mayHold(block, { after: block.count })).toBe(false);
    expect(mayHold(block, { after: block.count - 1 })).toBe(true);
  });

  it('a machine of the name of a session is not that session', () => {
    const block = new EventBlock(1);
    for (const line of linesOf(toEventTexts([event({ machine: 'web' })]))) block.add(line);
    expect([mayHold(block, { machine: 'web' }), mayHold(block, { session: 'web' })]).toEqual([true, false]);
  });

  it('texts with line breaks come back whole', () => {
    const [line] = linesOf(toEventTexts([event({ message: 'a\nb\r\u2028c' })]));
    expect(JSON.parse(line?.text ?? '')).toEqual(event({ message: 'a\nb\r\u2028c' }));
  });
});

it('events of one boot are found among thousands, in pages, from both ends', async () => {
  const { store } = await freshStore();
  for (let n = 0; n < 40; n++) {
    const many = Array.from({ length: 90 }, (_, i) => event({ session: `s${n * 90 + i}`, mac: mac(n * 90 + i) }));
    await store.appendEvents([...many, event({ session: 'wanted', level: n % 10 === 0 ? 'warning' : 'info' })]);
  }
  const all = await store.events({ session: 'wanted', limit: 100 });
  expect(all.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 40 }, (_, n) => (n + 1) * 91));
  const newest = await store.events({ session: 'wanted', limit: 3, newestFirst: true });
  expect(newest.map(({ sequence }) => sequence)).toEqual([3640, 3549, 3458]);
  const page = await store.events({ session: 'wanted', limit: 2, after: 910 });
  expect(page.map(({ sequence }) => sequence)).toEqual([1001, 1092]);
  const warnings = await store.events({ level: 'warning', limit: 9, newestFirst: true });
  expect(warnings.map(({ sequence }) => sequence)).toEqual([2821, 1911, 1001, 91]);
  expect(await store.events({ session: 'other', limit: 1 })).toEqual([]);
});

it('an append that is rolled back with its transaction leaves no gap', async () => {
  const { store, path } = await freshStore();
  await store.appendEvents([event({ kind: 'a' })]);
  const other = new Sqlite(path);
  other.pragma('busy_timeout = 0');
  other.exec('begin immediate');
  // The store waits five seconds for the writer, then gives its transaction up.
  const lost = store.appendEvents([event({ kind: 'lost' })]);
  await expect(lost).rejects.toMatchObject({ code: 'unavailable' });
  other.exec('rollback');
  other.close();
  expect(await store.appendEvents([event({ kind: 'b' })])).toBe(2);
  expect((await store.events({ limit: 9 })).map(({ kind }) => kind)).toEqual(['a', 'b']);
}, 20_000);

it('events of an older database become blocks, with their numbers', async () => {
  const path = join(tempFolder(), 'anybios.db');
  const before = await openDatabase(path, 0);
  await before.kysely.schema.dropTable('event_blocks').execute();
  const run = (text: string) => before.kysely.executeQuery(CompiledQuery.raw(text));
  await run(`create table events (sequence integer primary key autoincrement, at_ms integer not null, source text not null,
    kind text not null, level text not null, session text, machine text, mac text, message text not null, data text not null) strict`);
  await run(`with recursive n(i) as (select 5 union all select i + 1 from n where i < 3000)
    insert into events select i, 1000 + i, 'dhcp', 'k' || i, 'info', 's' || (i / 3), null, null, 'told', '{"n":' || i || '}' from n where i <> 700`);
  // What later steps made is not there yet either.
  for (const table of ['holdings', 'role_leases']) await before.kysely.schema.dropTable(table).execute();
  await run('delete from migrations where number >= 5');
  before.close();
  const { store } = await freshStore({ path });
  expect((await store.events({ limit: 5000 })).map(({ sequence }) => sequence)).toEqual(
    Array.from({ length: 2996 }, (_, n) => n + 5).filter((n) => n !== 700),
  );
  expect(await store.events({ session: 's500', limit: 9, after: 1501 })).toEqual([
    {
      sequence: 1502,
      at: 2502,
      source: 'dhcp',
      kind: 'k1502',
      level: 'info',
      session: 's500',
      message: 'told',
      data: { n: 1502 },
    },
  ]);
  expect(await store.appendEvents([event()])).toBe(3001);
});

it('a log made longer keeps what is in it, through a kill too', async () => {
  const path = join(tempFolder(), 'anybios.db');
  const database = await openDatabase(path, 0);
  onTestFinished(() => database.close());
  const put = database.prepare('insert into settings (key, value) values (?, ?)');
  put.run(['before', '1']);
  reserveLog(`${path}-wal`, 3_000_000);
  expect(statSync(`${path}-wal`).size).toBe(3_000_000);
  put.run(['after', '2']);
  // What a killed server leaves behind: both files as they are now.
  const copy = join(tempFolder(), 'copy.db');
  copyFileSync(path, copy);
  copyFileSync(`${path}-wal`, `${copy}-wal`);
  const again = new Sqlite(copy);
  onTestFinished(() => void again.close());
  expect(again.prepare('select key from settings order by key').pluck().all()).toEqual(['after', 'before']);
});
