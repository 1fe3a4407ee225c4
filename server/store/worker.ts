import { parentPort, workerData } from 'node:worker_threads';
import { goFirst } from '../native/go-first.js';
import { type Calls, createCalls } from './calls.js';
import { type OpenDatabase, openDatabase } from './database.js';
import { runGroup } from './group.js';
import {
  type Answers,
  type NumberedCall,
  type Report,
  type Request,
  readCalls,
  type WorkerData,
  writeAnswer,
} from './messages.js';
import { reserveLog } from './reserve-log.js';
import { storeError, toPlain } from './sqlite-error.js';
import { WaitingCalls } from './waiting-calls.js';

// The store's thread: SQLite blocks while it waits for the disk, so it waits here and not in the loop that answers DHCP.

const port = parentPort;
if (port === null) throw new Error('store/worker.js runs as a worker thread only');
const { path, limits }: WorkerData = workerData;
const report = (message: Report): void => port.postMessage(message);

const waiting = new WaitingCalls();
const LINGER_MS = 5;
/** Not at once: tools and tests that open a database for a moment need no long log. */
const LENGTHEN_AFTER_MS = 1000;
let lingering: NodeJS.Timeout | undefined;
let working = false;
let closing = false;

try {
  // A lease waits for this thread as for the main one. What hinders it, the main thread has told.
  await goFirst();
  const database = await openDatabase(path, Date.now());
  const calls = createCalls(database, limits);
  port.on('message', (request: Request) => {
    if (request === 'close') closing = true;
    else waiting.add(readCalls(request));
    if (!working) schedule(database, calls);
  });
  report({ kind: 'ready', migrated: database.migrated });
  setTimeout(lengthenLog, LENGTHEN_AFTER_MS).unref();
} catch (error) {
  report({ kind: 'refused', error: toPlain(storeError(error, path)) });
  port.close();
}

/**
 * All messages that have arrived are delivered before an immediate runs: they form the group. What nobody waits for stays a
 * moment longer, to share the transaction of the next lease: while a commit of its own waits for the disk, a lease would wait too.
 */
function schedule(database: OpenDatabase, calls: Calls): void {
  clearTimeout(lingering);
  if (waiting.empty && !closing) return;
  if (waiting.pressing || closing) {
    working = true;
    setImmediate(drain, database, calls);
  } else {
    lingering = setTimeout(drain, LINGER_MS, database, calls);
  }
}

/** One group, then a turn of the event loop: leases that came meanwhile go into the next one. */
function drain(database: OpenDatabase, calls: Calls): void {
  working = true;
  if (waiting.empty && closing) {
    database.close();
    port?.close();
    return;
  }
  commit(database, calls, waiting.nextGroup())
    .then(() => {
      working = false;
      schedule(database, calls);
    })
    .catch(die);
}

async function commit(database: OpenDatabase, calls: Calls, group: readonly NumberedCall[]): Promise<void> {
  const outcomes = await runGroup(
    database,
    calls,
    group.map(({ call }) => call),
    path,
  );
  const answers: Answers = [];
  outcomes.forEach((outcome, index) => {
    writeAnswer(answers, group[index]?.id ?? 0, outcome);
  });
  port?.postMessage(answers);
}

/** Saves time only: a disk without room for it says so when a lease is written, and then to whoever wants it. */
function lengthenLog(): void {
  if (closing) return;
  try {
    reserveLog(`${path}-wal`);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
  }
}

/** A fault of this code: the thread ends, and the main thread fails every call with `unavailable`. */
function die(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}
