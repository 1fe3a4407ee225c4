import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import {
  EAGAIN,
  ECONNRESET,
  EINTR,
  EPIPE,
  EPOLL_CLOEXEC,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLLIN,
  EPOLLOUT,
  EVENT_BYTES,
  EVENT_DATA,
  SIOCOUTQ,
  type SocketCalls,
  socketCalls,
} from '../native/socket-calls.js';
import {
  CLIENT_LEFT,
  FILE_SHRANK,
  type FromSender,
  type SenderData,
  type Sent,
  SLOWEST_BYTES,
  type ToSender,
  tooSlow,
} from './sendfile-messages.js';
import { SharedTurns } from './shared-turns.js';

// The thread that sends files with sendfile(2). One loop over epoll: whoever can take bytes gets at most TURN of them, then the next.
// It never returns to Node's event loop, so it asks for its messages (an eventfd wakes it).

/** Bytes of one connection at a time: large enough to be cheap, small enough that a thousand others wait a fraction of a second. */
const TURN = 2 << 20;
const EVENTS = 256;
/** Also how often the slow ones are looked for, and the longest that the end of the process can take. */
const TICK = 1000;

interface Job {
  readonly slot: number;
  readonly socket: number;
  readonly file: number;
  readonly machine: string;
  /** Of the next byte, as sendfile wants it. */
  readonly offset: Uint8Array;
  readonly total: number;
  sent: number;
  /** What the client had taken at `since`. */
  taken: number;
  since: number;
}

/** One sendfile through a pair of sockets: what arrives must be what is in the file. Throws when it is not. */
function selfTest(calls: SocketCalls, sample: string): void {
  const expected = Buffer.alloc(1000);
  const file = openSync(sample, 'r');
  const pair = new Uint8Array(8);
  // AF_UNIX, SOCK_STREAM
  if (calls.socketpair(1, 1, 0, pair) !== 0) throw new Error(`socketpair failed (errno ${calls.errno()})`);
  const view = new DataView(pair.buffer);
  const [from, to] = [view.getInt32(0, true), view.getInt32(4, true)];
  try {
    const length = readSync(file, expected, 0, expected.length, 3);
    const offset = new Uint8Array(8);
    const moved = new DataView(offset.buffer);
    moved.setBigUint64(0, 3n, true);
    const sent = calls.sendfile(from, file, offset, length);
    const got = Buffer.alloc(expected.length);
    const received = sent > 0 ? calls.read(to, got, got.length) : -1;
    if (length === 0 || sent !== length || received !== length || !got.equals(expected))
      throw new Error('sendfile sends other bytes than the file has');
    if (Number(moved.getBigUint64(0, true)) !== 3 + length) throw new Error('sendfile does not count');
  } finally {
    for (const fd of [from, to]) calls.close(fd);
    closeSync(file);
  }
}

/** Serves until the message `end`. */
function run(calls: SocketCalls, { wake, progress, slowMilliseconds }: SenderData, epoll: number): void {
  const jobs = new Map<number, Job>();
  const turns = new SharedTurns<Job>();
  const counts = new Float64Array(progress);
  const events = new Uint8Array(EVENTS * EVENT_BYTES);
  const view = new DataView(events.buffer);
  const scratch = new Uint8Array(16);
  const scratchView = new DataView(scratch.buffer);
  let done: Sent[] = [];
  let ending = false;
  let looked = performance.now();

  const watch = (fd: number, kinds: number, slot: number): boolean => {
    scratchView.setUint32(0, kinds, true);
    scratchView.setUint32(EVENT_DATA, slot, true);
    scratchView.setUint32(EVENT_DATA + 4, 0, true);
    return calls.epoll_ctl(epoll, EPOLL_CTL_ADD, fd, scratch) === 0;
  };
  /** Bytes that the kernel holds for the client. */
  const unsent = (job: Job): number =>
    calls.ioctl(job.socket, SIOCOUTQ, scratch) === 0 ? scratchView.getInt32(0, true) : 0;
  /** It was not the client that took nothing while it waited for its turn. */
  const forgive = (job: Job, now: number): void => {
    job.since = now;
    job.taken = job.sent;
  };
  const begin = (job: Job): void => {
    if (unsent(job) === 0) forgive(job, performance.now());
    if (!watch(job.socket, EPOLLOUT, job.slot))
      finish(job, `the connection cannot be watched (errno ${calls.errno()})`);
  };
  const finish = (job: Job, problem?: string): void => {
    jobs.delete(job.slot);
    // Not only by close: the connection goes on through the descriptor that Node has.
    calls.epoll_ctl(epoll, EPOLL_CTL_DEL, job.socket, scratch);
    calls.close(job.socket);
    done.push({ slot: job.slot, ...(problem === undefined ? {} : { problem }) });
    for (const next of turns.remove(job)) begin(next);
  };
  const sendSome = (job: Job): void => {
    const step = turns.ready(job);
    if (step.kind === 'rest') {
      // Its machine's other downloads have their turn first.
      calls.epoll_ctl(epoll, EPOLL_CTL_DEL, job.socket, scratch);
      if (step.begin !== undefined) begin(step.begin);
      return;
    }
    const count = calls.sendfile(job.socket, job.file, job.offset, Math.min(TURN, job.total - job.sent));
    if (count > 0) {
      job.sent += count;
      counts[job.slot] = job.sent;
      turns.sent(job, count);
      if (job.sent === job.total) finish(job);
      return;
    }
    const errno = count === 0 ? 0 : calls.errno();
    if (errno === EAGAIN || errno === EINTR) return;
    if (count === 0) finish(job, FILE_SHRANK);
    else
      finish(job, errno === EPIPE || errno === ECONNRESET ? CLIENT_LEFT : `the file cannot be sent (errno ${errno})`);
  };
  const take = (message: ToSender): void => {
    if (message.kind === 'end') ending = true;
    else if (message.kind === 'stop') {
      const job = jobs.get(message.slot);
      if (job !== undefined) finish(job, CLIENT_LEFT);
    } else {
      const { slot, socket, file, first, length, machine } = message;
      const offset = new Uint8Array(8);
      new DataView(offset.buffer).setBigUint64(0, BigInt(first), true);
      const job: Job = {
        slot,
        socket,
        file,
        machine,
        offset,
        total: length,
        sent: 0,
        taken: 0,
        since: performance.now(),
      };
      jobs.set(slot, job);
      counts[slot] = 0;
      const change = turns.add(job);
      for (const one of change.rest) calls.epoll_ctl(epoll, EPOLL_CTL_DEL, one.socket, scratch);
      for (const one of change.begin) begin(one);
    }
  };
  /** A client that takes next to nothing holds a connection and a file for ever. */
  const endSlow = (now: number): void => {
    for (const job of [...jobs.values()]) {
      if (now - job.since < slowMilliseconds) continue;
      // What the kernel holds for a slow client is megabytes: only what it has acknowledged counts.
      const waiting = unsent(job);
      if (waiting === 0 && turns.waits(job)) {
        forgive(job, now);
        continue;
      }
      const taken = job.sent - waiting;
      if (taken - job.taken < SLOWEST_BYTES) finish(job, tooSlow(slowMilliseconds));
      job.taken = taken;
      job.since = now;
    }
  };

  if (!watch(wake, EPOLLIN, 0)) throw new Error(`epoll does not take the eventfd (errno ${calls.errno()})`);
  while (!ending) {
    const ready = calls.epoll_wait(epoll, events, EVENTS, TICK);
    for (let index = 0; index < ready; index++) {
      const slot = view.getUint32(index * EVENT_BYTES + EVENT_DATA, true);
      if (slot === 0) {
        calls.read(wake, scratch, 8);
        let next = receiveMessageOnPort(port());
        while (next !== undefined) {
          take(next.message);
          next = receiveMessageOnPort(port());
        }
      } else {
        const job = jobs.get(slot);
        if (job !== undefined) sendSome(job);
      }
    }
    const now = performance.now();
    if (now - looked >= TICK) {
      looked = now;
      for (const job of turns.look()) begin(job);
      endSlow(now);
    }
    if (done.length > 0) {
      tell({ kind: 'sent', jobs: done });
      done = [];
    }
  }
  for (const { socket } of jobs.values()) calls.close(socket);
}

function port(): NonNullable<typeof parentPort> {
  if (parentPort === null) throw new Error('this file is the entry of a thread');
  return parentPort;
}

const tell = (message: FromSender): void => port().postMessage(message);

async function main(data: SenderData): Promise<void> {
  let calls: SocketCalls;
  let epoll = -1;
  try {
    calls = await socketCalls();
    selfTest(calls, data.sample);
    epoll = calls.epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0) throw new Error(`epoll_create1 failed (errno ${calls.errno()})`);
  } catch (error) {
    tell({ kind: 'unusable', reason: error instanceof Error ? error.message : String(error) });
    port().close();
    return;
  }
  tell({ kind: 'ready' });
  run(calls, data, epoll);
  calls.close(epoll);
  port().close();
}

await main(workerData);
