import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import Sqlite from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { compiledEntry } from '../../server/paths.js';
import { WorkerStore } from '../../server/store/worker-store.js';
import { tempFolder } from '../support/temp-folder.js';
import { freshStore, lease } from './store-fixture.js';

const CLAIMER = fileURLToPath(new URL('claim-leases.mjs', import.meta.url));

/** Lets a process claim leases from `first` on and kills it with SIGKILL after `count` acknowledgements; gives those printed. */
async function claimUntilKilled(path: string, first: number, count: number): Promise<number[]> {
  const child = spawn(process.execPath, [CLAIMER, path, String(first)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const acknowledged: number[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const [address, answer] = line.split(' ');
    expect(answer).toBe('ok');
    acknowledged.push(Number(address));
    if (acknowledged.length === count) child.kill('SIGKILL');
  }
  expect(await exited).toEqual([null, 'SIGKILL']);
  return acknowledged;
}

it('kill -9 loses no acknowledged lease, and the next start needs no repair', { timeout: 60_000 }, async () => {
  const path = join(tempFolder(), 'anybios.db');
  const acknowledged = new Set<number>();
  let first = 0x0a000001;
  for (const count of [1, 700, 3000]) {
    const more = await claimUntilKilled(path, first, count);
    expect(more.length).toBeGreaterThanOrEqual(count);
    for (const address of more) acknowledged.add(address);
    const { store } = await freshStore({ path });
    const kept = new Set<number>((await store.load()).leases.map(({ address }) => address));
    expect([...acknowledged].filter((address) => !kept.has(address))).toEqual([]);
    await store.close();
    const raw = new Sqlite(path, { readonly: true });
    expect(raw.pragma('integrity_check', { simple: true })).toBe('ok');
    expect(raw.pragma('foreign_key_check')).toEqual([]);
    raw.close();
    first += 1_000_000;
  }
});

describe('when the thread dies', () => {
  it('calls without an answer and every later one are unavailable, and it is logged', async () => {
    const { store: helper, path } = await freshStore();
    await helper.close();
    const worker = new Worker(compiledEntry('store/worker.js'), {
      workerData: { path, limits: { events: 10, sessions: 10 } },
    });
    await once(worker, 'message');
    const store = new WorkerStore(worker, path, undefined);
    await store.saveSetting('k', 'v');
    const pending = [store.setting('k'), store.claimLease(lease('10.0.0.1'), undefined), store.load()];
    const settled = Promise.allSettled(pending);
    await worker.terminate();
    for (const outcome of await settled) {
      // What was committed before the end may have been answered; nothing waits for ever.
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'unavailable' });
    }
    await expect(store.load()).rejects.toMatchObject({
      code: 'unavailable',
      message: `the store thread of ${path} has ended`,
      remedy: expect.stringContaining('start anybios again'),
    });
    await store.close();
  });

  it('by a fault of its own, the fault is logged', async () => {
    const lines: string[] = [];
    const log = { info: () => undefined, error: (_data: object, message: string) => void lines.push(message) };
    const worker = new Worker('setImmediate(() => { throw new Error("fault"); })', { eval: true });
    const store = new WorkerStore(worker, '/x', log);
    await expect(store.load()).rejects.toMatchObject({ code: 'unavailable' });
    expect(lines).toEqual(['the store thread died: nothing can be saved until anybios is started again']);
  });
});
