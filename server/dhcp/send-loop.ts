import { getSystemErrorName } from 'node:util';
import { parentPort, workerData } from 'node:worker_threads';
import koffi from 'koffi';
import { goFirst } from '../native/go-first.js';
import { c } from '../native/libc.js';
import { FIRST_BATCH, REFUSED, type Refusals, type SendThreadData, STOP, TURN } from './send-thread.js';

// The thread of SendThread.

const MSG_DONTWAIT = 0x40;
const { fd, batches, shared }: SendThreadData = workerData;
const state = new Int32Array(shared);

await goFirst();
for (let batch = 0; ; batch = (batch + 1) % batches.length) {
  const count = waitFor(batch);
  if (count === undefined) break;
  const refused = send(batches[batch] ?? [], count);
  Atomics.store(state, FIRST_BATCH + batch, refused.length === 0 ? 0 : REFUSED);
  // The batch is free once this has been read.
  if (refused.length > 0) parentPort?.postMessage({ batch, refused } satisfies Refusals);
}

/** How many datagrams are in the batch; undefined = it is over. */
function waitFor(batch: number): number | undefined {
  for (;;) {
    const turn = Atomics.load(state, TURN);
    const count = Atomics.load(state, FIRST_BATCH + batch);
    if (count > 0) return count;
    if (Atomics.load(state, STOP) !== 0) return undefined;
    Atomics.wait(state, TURN, turn);
  }
}

/** `headers`: of each datagram its `struct mmsghdr`. One that is refused does not hold the others up. */
function send(headers: readonly number[], count: number): Refusals['refused'] {
  const refused: { index: number; reason: string }[] = [];
  let sent = 0;
  while (sent < count) {
    const now = c().sendmmsg(fd, headers[sent] ?? 0, count - sent, MSG_DONTWAIT);
    if (now > 0) {
      sent += now;
      continue;
    }
    const reason = getSystemErrorName(-koffi.errno());
    if (reason === 'EINTR') continue;
    refused.push({ index: sent, reason });
    sent++;
  }
  return refused;
}
