import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { ChunkCache } from './chunk-cache.js';
import { DgramWire } from './dgram-wire.js';
import { Engine } from './engine.js';
import type { FromReader } from './file-messages.js';
import { ListenError } from './listen-error.js';
import type { FromWorker, ToWorker, WorkerData } from './messages.js';

// The thread of the transfers: packets are exchanged here, so that no image byte passes the loop that answers DHCP.

if (parentPort === null) throw new Error('tftp/worker.js runs as a worker thread only');
const main: MessagePort = parentPort;
const { settings, signal, chunks, reader }: WorkerData = workerData;
const tell = (message: FromWorker): void => main.postMessage(message);
const cache = new ChunkCache(chunks, (message) => reader.postMessage(message));
const now = (): number => performance.now();

async function run(): Promise<void> {
  const { singlePort, addresses, timing } = settings;
  let note: string | undefined;
  if (settings.transport === 'auto') {
    // Where there is no native code for this computer, or the kernel cannot do it, the other way works as well, only slower.
    try {
      const { runFast } = await import('./fast-worker.js');
      return runFast({ settings, signal, main, reader, cache, tell });
    } catch (error) {
      if (error instanceof ListenError) throw error;
      note = error instanceof Error ? error.message : String(error);
    }
  }
  const wire = await DgramWire.open(addresses, singlePort, (key, bytes, peer, local) => {
    engine.receive(key, bytes, () => peer, local);
    rest();
  });
  const engine = new Engine({ wire, cache, timing, now, tell, singlePort: singlePort !== undefined });
  let timer: NodeJS.Timeout | undefined;
  let firesAt = Number.POSITIVE_INFINITY;
  /** After everything that happens: is somebody due earlier than the timer fires, or is all done? */
  const rest = (): void => {
    if (engine.finished) {
      clearTimeout(timer);
      wire.close();
      reader.close();
      main.close();
    } else if (engine.earliest < firesAt) {
      clearTimeout(timer);
      firesAt = engine.earliest;
      timer = setTimeout(
        () => {
          firesAt = Number.POSITIVE_INFINITY;
          engine.tick(now());
          rest();
        },
        Math.max(1, firesAt - now()),
      );
    }
  };
  main.on('message', (message: ToWorker) => {
    engine.hear(message);
    rest();
  });
  reader.on('message', (message: FromReader) => {
    cache.heard(message);
    rest();
  });
  reader.once('close', () => {
    if (!engine.finished) throw new Error('the thread that reads files ended');
  });
  tell({ kind: 'ready', transport: 'dgram', port: wire.port, ...(note === undefined ? {} : { note }) });
}

run().catch((error: unknown) => {
  if (!(error instanceof Error && 'code' in error)) {
    // A fault of this code: the thread ends, and the main thread starts another.
    setImmediate(() => {
      throw error;
    });
    return;
  }
  const address = 'address' in error ? String(error.address) : '';
  tell({ kind: 'unfit', code: String(error.code), address, message: error.message });
  reader.close();
  main.close();
});
