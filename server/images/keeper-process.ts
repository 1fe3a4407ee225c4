import { Socket } from 'node:net';
import { constants, setPriority } from 'node:os';
import { checkFile } from './check-file.js';
import { ConnectionGuard } from './connection-guard.js';
import { failureOf, unexpected } from './failure-message.js';
import { clearPartial, fetchFile } from './fetch-file.js';
import type { Authorized, CallName, CallProgress, FromKeeper, KeeperCalls, ToKeeper } from './keeper-messages.js';
import { createImageStore, type ImageStore } from './store.js';
import { createUploadServer } from './upload-server.js';

// The process that keeps the files of images: uploads, downloads and checks pass here, so that no image byte and no sha256 of one
// is on the event loop that answers DHCP and the API. It lives as long as the main process does.

const IDLE_MILLISECONDS = 15_000;
const NO_PROGRESS_MILLISECONDS = 60_000;
/** Progress of one call is told at most so often. */
const PROGRESS_EVERY_MS = 200;

const tell = (message: FromKeeper): void => {
  // Of a main process that was just killed nothing can be told; `disconnect` comes next.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
};
const fault = (error: unknown): void =>
  tell({ kind: 'fault', message: error instanceof Error ? (error.stack ?? error.message) : String(error) });

// Machines that boot come first.
setPriority(constants.priority.PRIORITY_BELOW_NORMAL);

interface Call {
  readonly signal: AbortSignal;
  readonly progress: (progress: CallProgress) => void;
}
type Handlers = {
  readonly [K in CallName]: (args: KeeperCalls[K]['args'], call: Call) => Promise<KeeperCalls[K]['result']>;
};

const cancels = new Map<number, AbortController>();
const waiting = new Map<number, (answer: Authorized) => void>();
let lastQuestion = 0;
let guard: ConnectionGuard | undefined;
let accept: ((socket: Socket) => void) | undefined;
let handlers: Handlers | undefined;

function start(dir: string, store: ImageStore): void {
  const server = createUploadServer({
    store,
    authorize: (authorization) =>
      new Promise((resolve) => {
        lastQuestion += 1;
        waiting.set(lastQuestion, resolve);
        tell({ kind: 'authorize', id: lastQuestion, authorization });
      }),
    uploaded: (file, by) => tell({ kind: 'uploaded', file, by }),
    fault,
  });
  server.timeout = NO_PROGRESS_MILLISECONDS;
  guard = new ConnectionGuard(server, IDLE_MILLISECONDS);
  accept = (socket) => server.emit('connection', socket);
  handlers = {
    importFile: ({ path, expectedDigest }) => store.importFile(path, { expectedDigest }),
    fetch: (request, { signal, progress }) => fetchFile(dir, store, request, { signal, onProgress: progress }),
    check: ({ digest, whole }, { signal, progress }) =>
      checkFile(dir, digest, { whole, signal, onProgress: (bytes) => progress({ bytes }) }),
    remove: async ({ digests, quietMs }) => {
      const removed = [];
      for (const digest of digests) if (await store.remove(digest, { quietMs })) removed.push(digest);
      return removed;
    },
    clearPartial: ({ quietMs, dryRun }) => clearPartial(dir, quietMs, dryRun),
  };
  tell({ kind: 'ready' });
}

async function run<K extends CallName>(id: number, name: K, args: KeeperCalls[K]['args']): Promise<void> {
  const cancel = new AbortController();
  cancels.set(id, cancel);
  let told = 0;
  const progress = (value: CallProgress): void => {
    const now = performance.now();
    if (now - told < PROGRESS_EVERY_MS) return;
    told = now;
    tell({ kind: 'progress', id, ...value });
  };
  try {
    if (handlers === undefined) throw new Error('asked before the settings came');
    const result = await handlers[name](args, { signal: cancel.signal, progress });
    tell({ kind: 'done', id, result });
  } catch (error) {
    const failure = cancel.signal.aborted ? { code: 'conflict' as const, message: 'cancelled' } : failureOf(error);
    if (failure === undefined) fault(error);
    tell({ kind: 'failed', id, failure: failure ?? unexpected });
  } finally {
    cancels.delete(id);
  }
}

process.on('message', (message: ToKeeper, socket: unknown) => {
  switch (message.kind) {
    case 'settings':
      createImageStore(message.imagesDir).then(
        (store) => start(message.imagesDir, store),
        (error: unknown) => {
          fault(error);
          process.disconnect();
        },
      );
      break;
    case 'connection':
      // The client may have gone on the way here; then there is no socket.
      if (!(socket instanceof Socket)) break;
      socket.unshift(Buffer.from(message.first, 'base64'));
      accept?.(socket);
      break;
    case 'call':
      run(message.id, message.name, message.args).catch(fault);
      break;
    case 'cancel':
      cancels.get(message.id)?.abort();
      break;
    case 'authorized':
      waiting.get(message.id)?.(message.answer);
      waiting.delete(message.id);
      break;
  }
});

process.on('disconnect', () => {
  guard?.closeAll();
  for (const cancel of cancels.values()) cancel.abort();
});
// Ctrl-C and systemd signal the whole group; the main process ends first, in its own order.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
