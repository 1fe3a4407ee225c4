import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TRANSFER_TIMING } from '../../server/decide/tftp-transfer.js';
import { TransferThread } from '../../server/tftp/transfer-thread.js';

let dir: string;
const lost: string[] = [];
const log: string[] = [];
const note = (_data: object, message: string): void => {
  log.push(message);
};

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'fi-thread-'));
  lost.length = 0;
  log.length = 0;
});
afterEach(() => rm(dir, { recursive: true }));

/** A thread that runs this code. */
async function threadOf(code: string): Promise<TransferThread> {
  const entry = join(dir, 'entry.mjs');
  await writeFile(entry, `import { parentPort } from 'node:worker_threads';\n${code}`);
  const settings = { addresses: ['127.0.0.1'], timing: TRANSFER_TIMING, transport: 'dgram' as const };
  const events = { message: () => undefined, lost: (reason: string) => lost.push(reason) };
  return new TransferThread(entry, settings, events, { info: note, warn: note, error: note });
}

const READY = "parentPort.postMessage({ kind: 'ready' });";

test('a thread that dies is told and replaced, and jobs are refused meanwhile', async () => {
  const thread = await threadOf(`${READY} parentPort.on('message', ({ kind }) => {
    if (kind === 'close') parentPort.close();
    else throw new Error('a bug');
  });`);
  await thread.start();
  expect(thread.send({ kind: 'repeated', id: 1 })).toBe(true);
  await expect.poll(() => lost).toEqual(['the thread of the transfers ended: a bug']);
  expect(thread.send({ kind: 'repeated', id: 1 })).toBe(false);
  await expect.poll(() => thread.send({ kind: 'repeated', id: 2 }), { timeout: 5000 }).toBe(true);
  await thread.close('the server stops');
  expect(log[0]).toBe('the thread of the TFTP transfers ended, a new one is started');
});

test('a thread that cannot start is an error of the start, not tried for ever', async () => {
  const thread = await threadOf("throw new Error('no such module');");
  await expect(thread.start()).rejects.toThrow('the thread of the TFTP transfers did not start: no such module');
  await thread.close('the server stops');
});

test('a thread that does not end by itself is ended', async () => {
  const thread = await threadOf(`${READY} parentPort.on('message', () => undefined);`);
  await thread.start();
  await thread.close('the server stops');
  expect(thread.send({ kind: 'repeated', id: 1 })).toBe(false);
  expect(lost).toEqual([]);
});
