import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { CompiledQuery, Kysely, SqliteDialect } from 'kysely';
import { describe, expect, it, onTestFinished } from 'vitest';
import { AnybiosError } from '../../server/domain/errors.js';
import { createCalls } from '../../server/store/calls.js';
import { openDatabase } from '../../server/store/database.js';
import { runGroup } from '../../server/store/group.js';
import type { Call } from '../../server/store/messages.js';
import { type Migration, migrate } from '../../server/store/migrations.js';
import { openStore } from '../../server/store/open-store.js';
import type { Tables } from '../../server/store/tables.js';
import { failingStore } from '../support/failing-store.js';
import { tempFolder } from '../support/temp-folder.js';
import { add, event, freshStore, lease, machine, session } from './store-fixture.js';

describe('calls that share a transaction', () => {
  it('fail alone', async () => {
    const { store } = await freshStore();
    const settled = await Promise.allSettled([
      store.saveSetting('before', '1'),
      store.applyDesired([add(machine('a', ['52:54:00:00:00:01'])), add(machine('b', ['52:54:00:00:00:01']))], 'test'),
      store.saveSetting('after', '2'),
      store.tagImage('no', '1', 'x'),
      store.claimLease(lease('10.0.0.1'), undefined),
    ]);
    expect(settled.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
    const { machines, leases } = await store.load();
    expect([machines, leases.length]).toEqual([[], 1]);
    expect(await store.setting('after')).toBe('2');
  });

  it('see what the calls before them wrote', async () => {
    const { store } = await freshStore();
    const [, value] = await Promise.all([store.saveSetting('k', 'v'), store.setting('k')]);
    expect(value).toBe('v');
  });

  it('are answered in thousands, each with its own result', async () => {
    const { store } = await freshStore();
    const answers = await Promise.all(Array.from({ length: 3000 }, () => store.appendEvents([event()])));
    expect(answers).toEqual(Array.from({ length: 3000 }, (_, n) => n + 1));
  });

  it('all fail, with a remedy, when the disk is full; later ones work once there is space', async () => {
    const path = join(tempFolder(), 'anybios.db');
    const database = await openDatabase(path, 0);
    onTestFinished(() => database.close());
    const calls = createCalls(database, { events: 10, sessions: 10, jobs: 1000 });
    const big = { name: 'saveSetting', args: ['big', 'x'.repeat(5_000_000)] } satisfies Call;
    const small = { name: 'saveSetting', args: ['small', 'x'] } satisfies Call;
    const read = { name: 'setting', args: ['small'] } satisfies Call;
    const pages = (count: number) =>
      database.kysely.executeQuery(CompiledQuery.raw(`pragma max_page_count = ${count}`));
    await pages(100);
    const outcomes = await runGroup(database, calls, [small, big], path);
    expect(outcomes.map((outcome) => outcome.ok || outcome.error.code)).toEqual(['unavailable', 'unavailable']);
    expect(outcomes[1]).toMatchObject({
      error: { message: `the disk of ${path} is full`, remedy: expect.stringContaining('free some space') },
    });
    expect(await runGroup(database, calls, [read], path)).toEqual([{ ok: true, value: undefined }]);
    await pages(100_000);
    expect((await runGroup(database, calls, [small, big, read], path)).map(({ ok }) => ok)).toEqual([true, true, true]);
  });
});

describe('a database that cannot be used is refused with a remedy', () => {
  const opening = async (path: string): Promise<AnybiosError> => {
    try {
      const store = await openStore({ path });
      await store.close();
    } catch (error) {
      if (error instanceof AnybiosError) return error;
    }
    throw new Error('it was not refused');
  };

  it('made by newer code', async () => {
    const { store, path } = await freshStore();
    await store.close();
    const raw = new Sqlite(path);
    raw.exec("insert into migrations values (99, 'from the future', 0)");
    raw.close();
    const error = await opening(path);
    expect([error.code, error.message]).toEqual([
      'unavailable',
      expect.stringMatching(/^the database has schema 99, this anybios knows \d+ and older$/),
    ]);
    expect(error.remedy).toMatch(/start the newer anybios/);
  });

  it('in use by another server', async () => {
    const { path } = await freshStore();
    const error = await opening(path);
    expect([error.code, error.message]).toEqual(['unavailable', `${path} is in use by another process`]);
  });

  it('yet readable to tools while a server runs', async () => {
    const { store, path } = await freshStore();
    await store.saveSetting('k', 'v');
    const raw = new Sqlite(path, { readonly: true });
    onTestFinished(() => {
      raw.close();
    });
    expect(raw.prepare('select value from settings').pluck().get()).toBe('v');
  });

  it('not a database', async () => {
    const path = join(tempFolder(), 'anybios.db');
    writeFileSync(path, 'this is a text file, much longer than the header of a database '.repeat(20));
    const error = await opening(path);
    expect([error.code, error.message]).toEqual([
      'unavailable',
      `${path} is damaged or no SQLite file (SQLITE_NOTADB)`,
    ]);
  });

  it('a folder, or in a place that is a file', async () => {
    const folder = tempFolder();
    mkdirSync(join(folder, 'anybios.db'));
    expect((await opening(join(folder, 'anybios.db'))).code).toBe('unavailable');
    writeFileSync(join(folder, 'file'), '');
    expect((await opening(join(folder, 'file', 'anybios.db'))).code).toBe('unavailable');
  });
});

describe('migrations', () => {
  const memory = (): Kysely<Tables> => {
    const database = new Kysely<Tables>({ dialect: new SqliteDialect({ database: new Sqlite(':memory:') }) });
    onTestFinished(() => database.destroy());
    return database;
  };
  const step = (number: number, text: string): Migration => ({
    number,
    name: `step ${number}`,
    async up(database) {
      for (const sql of text.split(';')) await database.executeQuery(CompiledQuery.raw(sql));
    },
  });

  it('run once each, in order', async () => {
    const database = memory();
    const one = step(1, 'create table a (x)');
    expect(await migrate(database, 0, [one])).toEqual(['1 step 1']);
    expect(await migrate(database, 0, [one, step(2, 'alter table a add column y')])).toEqual(['2 step 2']);
    expect(await migrate(database, 0, [one, step(2, 'fails if run')])).toEqual([]);
  });

  it('leave whole steps when one fails', async () => {
    const database = memory();
    const steps = [step(1, 'create table a (x)'), step(2, 'create table b (x);this is no sql')];
    await expect(migrate(database, 0, steps)).rejects.toThrow(/syntax error/);
    const tables = await database.introspection.getTables();
    expect(tables.map(({ name }) => name).sort()).toEqual(['a', 'migrations']);
    expect(await migrate(database, 0, [step(1, ''), step(2, 'create table b (x)')])).toEqual(['2 step 2']);
  });
});

describe('a store that has ended', () => {
  it('rejects every later call after closing, and closing twice is harmless', async () => {
    const { store } = await freshStore();
    const last = store.saveSetting('k', 'v');
    const closed = store.close();
    await expect(store.setting('k')).rejects.toMatchObject({ code: 'unavailable' });
    await expect(last).resolves.toBeUndefined();
    await closed;
    await store.close();
  });

  it('rejects what cannot be sent to its thread, and goes on', async () => {
    const { store } = await freshStore();
    const bad = session('s', { stages: { dhcp: 1n as never } });
    await expect(store.saveSession(bad)).rejects.toThrow(/BigInt/);
    await expect(store.saveSession(session('s'))).resolves.toBeUndefined();
  });
});

describe('the store that fails on purpose', () => {
  it('fails the chosen calls with unavailable, as long as they are chosen', async () => {
    const { store: real } = await freshStore();
    const { store, failing } = failingStore(real, ['claimLease']);
    await expect(store.claimLease(lease('10.0.0.1'), undefined)).rejects.toMatchObject({ code: 'unavailable' });
    await store.saveSetting('k', 'v');
    failing.clear();
    expect(await store.claimLease(lease('10.0.0.1'), undefined)).toBe('ok');
  });
});

it('a copy of a live database with its WAL opens, as after a power cut', async () => {
  const { store, path } = await freshStore();
  await Promise.all(
    Array.from({ length: 500 }, (_, n) => store.claimLease(lease(`10.0.${n >> 8}.${n & 255}`), undefined)),
  );
  const copy = join(tempFolder(), 'anybios.db');
  copyFileSync(path, copy);
  copyFileSync(`${path}-wal`, `${copy}-wal`);
  const { store: again } = await freshStore({ path: copy });
  expect((await again.load()).leases).toHaveLength(500);
});
