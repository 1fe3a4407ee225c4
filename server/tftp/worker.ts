import { parentPort, workerData } from 'node:worker_threads';
import { TFTP_ERROR, type TftpErrorCode } from '../wire/tftp/packet.js';
import { type BlockSource, openBlockSource } from './block-source.js';
import { type Channel, openChannel } from './channel.js';
import type { FromWorker, ToWorker, TransferJob, WorkerSettings } from './messages.js';
import { Transfer } from './transfer.js';

// The thread of the transfers: files are read and packets exchanged here, so that no image byte passes the loop that answers DHCP.

const port = parentPort;
if (port === null) throw new Error('tftp/worker.js runs as a worker thread only');
const settings: WorkerSettings = workerData;
const tell = (message: FromWorker): void => port.postMessage(message);

/** By id. `undefined` = its file is being opened. */
const transfers = new Map<number, Transfer | undefined>();
let closing: string | undefined;

port.on('message', (message: ToWorker) => {
  switch (message.kind) {
    case 'start':
      transfers.set(message.job.id, undefined);
      start(message.job).catch(die);
      break;
    case 'repeated': {
      // Mostly its patience was short. But a machine that was reset in the middle begins again, and some firmware always uses the
      // same port: its next try must not wait until the old transfer has timed out.
      const transfer = transfers.get(message.id);
      if (transfer?.stalled === true) transfer.abandon('the client began again', true);
      break;
    }
    case 'drop': {
      const transfer = transfers.get(message.id);
      transfers.delete(message.id);
      transfer?.abandon(message.reason, true);
      break;
    }
    case 'close':
      closing = message.reason;
      for (const transfer of [...transfers.values()]) transfer?.abandon(message.reason, false);
      closeWhenDone();
      break;
  }
});
tell({ kind: 'ready' });

async function start(job: TransferJob): Promise<void> {
  let source: BlockSource | undefined;
  let channel: Channel | undefined;
  let transfer: Transfer | undefined;
  try {
    source = await openBlockSource(job.source, job.mode);
    channel = await openChannel(settings.address, (bytes, from) => transfer?.receive(bytes, from));
  } catch (error) {
    await source?.close();
    const { code, reason } = refusal(error);
    if (transfers.delete(job.id)) tell({ kind: 'refused', id: job.id, code, reason });
    return closeWhenDone();
  }
  if (closing !== undefined || !transfers.has(job.id)) {
    // Dropped, or the server stops: nothing was sent yet, and nothing will be.
    transfers.delete(job.id);
    channel.close();
    await source.close();
    return closeWhenDone();
  }
  const opened = { source, channel };
  transfer = new Transfer(job, {
    ...opened,
    timing: settings.timing,
    now: () => performance.now(),
    report: tell,
    ended: () => {
      transfers.delete(job.id);
      opened.channel.close();
      opened.source.close().then(closeWhenDone, die);
    },
  });
  transfers.set(job.id, transfer);
  transfer.start();
}

/** For the client: which limit, or what is wrong with the file; no paths of ours. */
function refusal(error: unknown): { readonly code: TftpErrorCode; readonly reason: string } {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  switch (code) {
    case 'ENOENT':
      return { code: TFTP_ERROR.fileNotFound, reason: 'the file has just been removed' };
    case 'EACCES':
    case 'ELOOP':
      return { code: TFTP_ERROR.accessViolation, reason: 'the server may not read this file' };
    case 'EMFILE':
    case 'ENFILE':
      return { code: TFTP_ERROR.notDefined, reason: 'too many transfers at once (no file descriptor left): try again' };
    default:
      return { code: TFTP_ERROR.notDefined, reason: error instanceof Error ? error.message : String(error) };
  }
}

function closeWhenDone(): void {
  if (closing !== undefined && transfers.size === 0) port?.close();
}

/** A fault of this code: the thread ends, and the main thread starts another. */
function die(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}
