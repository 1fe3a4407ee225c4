import { close, closeSync, constants, fstatSync, openSync, read, readlinkSync, readSync } from 'node:fs';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { toNetascii } from '../wire/tftp/netascii.js';
import { TFTP_ERROR, type TftpErrorCode } from '../wire/tftp/packet.js';
import type { FromReader, ReaderData, ToReader } from './file-messages.js';
import { announce } from './wake-signal.js';

// The thread that reads files, so that a slow disk keeps neither packets nor timers waiting. It holds what is open; the bytes go
// straight into memory that it shares with the thread of the transfers.

/** Netascii changes the length, so such a text is converted before its first block goes out. */
const NETASCII_LIMIT = 1 << 20;

if (parentPort === null) throw new Error('tftp/file-reader.js runs as a worker thread only');
const { chunks, signal }: ReaderData = workerData;
const memory = new Uint8Array(chunks);
let transfers: MessagePort | undefined;
let wake: number | undefined;

// The main thread hands over the line to the thread of the transfers, and when that is ready, the way to wake it.
parentPort.on('message', (message: { readonly port?: MessagePort; readonly wake?: number; readonly close?: true }) => {
  if (message.close) {
    transfers?.close();
    parentPort?.close();
    return;
  }
  wake = message.wake ?? wake;
  if (message.port === undefined) return;
  transfers = message.port;
  transfers.on('message', (asked: ToReader) => answer(asked));
});

function tell(message: FromReader): void {
  transfers?.postMessage(message);
  announce(signal, wake);
}

function answer(asked: ToReader): void {
  switch (asked.kind) {
    case 'open':
      try {
        tell(openFile(asked));
      } catch (error) {
        tell({ kind: 'refused', request: asked.request, ...refusal(error) });
      }
      break;
    case 'read':
      fill(asked, 0);
      break;
    case 'close':
      close(asked.handle, () => undefined);
      break;
  }
}

/**
 * The path was found inside its folder a moment ago and has no link on the way. The file that gets opened must still be that one:
 * O_NOFOLLOW and /proc see to it. O_NONBLOCK: a named pipe put there would block the thread.
 */
function openFile({ request, path, mode }: Extract<ToReader, { kind: 'open' }>): FromReader {
  const handle = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  let keep = false;
  try {
    const stat = fstatSync(handle, { bigint: true });
    if (!stat.isFile()) throw new Error('not a regular file');
    if (readlinkSync(`/proc/self/fd/${handle}`) !== path) throw new Error('the file was replaced meanwhile');
    const size = Number(stat.size);
    if (mode === 'netascii') {
      if (size > NETASCII_LIMIT) throw new Error('netascii is for texts up to 1 MiB: ask in octet mode');
      const text = Buffer.alloc(size);
      return { kind: 'text', request, bytes: toNetascii(text.subarray(0, readSync(handle, text, 0, size, 0))) };
    }
    keep = true;
    // Not by mtime: all files of images have the same one (images/seal.ts), and a new file gets the inode of one that was removed.
    return { kind: 'opened', request, handle, size, identity: `${stat.dev}:${stat.ino}:${stat.ctimeNs}:${size}` };
  } finally {
    if (!keep) closeSync(handle);
  }
}

function fill(asked: Extract<ToReader, { kind: 'read' }>, done: number): void {
  const { ticket, handle, offset, length, at } = asked;
  read(handle, memory, at + done, length - done, offset + done, (error, bytes) => {
    if (error !== null) tell({ kind: 'read', ticket, problem: `the file cannot be read: ${error.message}` });
    else if (bytes === 0) tell({ kind: 'read', ticket, problem: 'the file became shorter while it was sent' });
    else if (done + bytes < length) fill(asked, done + bytes);
    else tell({ kind: 'read', ticket });
  });
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
