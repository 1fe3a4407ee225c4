import { parentPort, workerData } from 'node:worker_threads';
import { type Calls, createCalls } from './calls.js';
import { type OpenDatabase, openDatabase } from './database.js';
import { runGroup } from './group.js';
import type { Report, Request, WorkerData } from './messages.js';
import { storeError, toPlain } from './sqlite-error.js';

// The store's thread: SQLite blocks while it waits for the disk, so it waits here and not in the loop that answers DHCP.

/** Calls per transaction: more would make the first of them wait longer than the fsync they share. */
const GROUP = 64;

const port = parentPort;
if (port === null) throw new Error('store/worker.js runs as a worker thread only');
const { path, limits }: WorkerData = workerData;
const report = (message: Report): void => port.postMessage(message);

const waiting: Extract<Request, { kind: 'call' }>[] = [];
let working = false;
let closing = false;

try {
  const database = await openDatabase(path, Date.now());
  const calls = createCalls(database.kysely, limits);
  port.on('message', (request: Request) => {
    if (request.kind === 'close') closing = true;
    else waiting.push(request);
    // All messages that have arrived are delivered before the immediate runs: they form the group.
    if (!working) setImmediate(() => drain(database, calls).catch(die));
    working = true;
  });
  report({ kind: 'ready', migrated: database.migrated });
} catch (error) {
  report({ kind: 'refused', error: toPlain(storeError(error, path)) });
  port.close();
}

async function drain(database: OpenDatabase, calls: Calls): Promise<void> {
  while (waiting.length > 0) {
    const group = waiting.splice(0, GROUP);
    const outcomes = await runGroup(
      database,
      calls,
      group.map(({ call }) => call),
      path,
    );
    const answers = group.flatMap(({ id }, index) => {
      const outcome = outcomes[index];
      return outcome === undefined ? [] : [{ id, outcome }];
    });
    report({ kind: 'answers', answers });
  }
  working = false;
  if (closing) {
    database.close();
    port?.close();
  }
}

/** A fault of this code: the thread ends, and the main thread fails every call with `unavailable`. */
function die(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}
