import { closeSync } from 'node:fs';
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { c } from '../native/libc.js';
import type { ChunkCache } from './chunk-cache.js';
import { Engine } from './engine.js';
import { FastWire } from './fast-wire.js';
import type { FromWorker, WorkerSettings } from './messages.js';
import { selfTest } from './self-test.js';
import { WakeSignal } from './wake-signal.js';
import type { PeerKey } from './wire.js';

const EFD_CLOEXEC = 0o2000000;
/** Between two looks at the clock while packets keep coming. */
const ROUNDS = 16;
/** Nothing runs: woken by messages and packets only. The rest is for a wake-up that got lost, and costs nothing (ms). */
const IDLE = 2000;

export interface FastDeps {
  readonly settings: WorkerSettings;
  readonly signal: Int32Array;
  readonly main: MessagePort;
  readonly reader: MessagePort;
  readonly cache: ChunkCache;
  readonly tell: (message: FromWorker) => void;
}

/**
 * The fast way: this thread never returns to Node's event loop, but goes round between messages, packets and the clock, and sleeps in
 * the kernel. Returns when it was told to close; throws, with nothing left open, when this computer cannot do it.
 */
export function runFast(deps: FastDeps): void {
  const { settings, main, reader, tell } = deps;
  const wake = c().eventfd(0, EFD_CLOEXEC);
  if (wake < 0) throw new Error('the kernel gives no eventfd');
  let wire: FastWire | undefined;
  let note: string | undefined;
  try {
    const six = settings.addresses.some((address) => address.includes(':'));
    const works = ['127.0.0.1', ...(six ? ['::1'] : [])].map((host) => selfTest(host, wake));
    wire = new FastWire(settings.addresses, settings.singlePort ?? 0, wake);
    if (!works.every(({ segments }) => segments)) {
      note = 'the kernel does not cut messages into segments';
      for (const link of wire.links) link.segments = false;
    }
  } catch (error) {
    closeSync(wake);
    throw error;
  }
  tell({ kind: 'ready', transport: 'fast', port: wire.port, wake, ...(note === undefined ? {} : { note }) });
  // The eventfd is the main thread's from here on.
  try {
    goRound(deps, wire);
  } finally {
    wire.close();
    reader.close();
    main.close();
  }
}

function goRound({ settings, signal, main, reader, cache, tell }: FastDeps, wire: FastWire): void {
  const news = new WakeSignal(signal);
  const now = (): number => performance.now();
  const singlePort = settings.singlePort !== undefined;
  const engine = new Engine({ wire, cache, timing: settings.timing, now, tell, singlePort });
  const hand = engine.receive.bind(engine);
  let at = now();
  const ack = (key: PeerKey, block: number): boolean => engine.ack(key, block, at);
  let rounds = 0;
  for (;;) {
    if (news.hasNews) {
      for (let got = receiveMessageOnPort(main); got !== undefined; got = receiveMessageOnPort(main)) {
        engine.hear(got.message);
      }
      for (let got = receiveMessageOnPort(reader); got !== undefined; got = receiveMessageOnPort(reader)) {
        cache.heard(got.message);
      }
      wire.flush();
    }
    if (engine.finished || news.mustLeave) return;
    at = now();
    const more = wire.receive(hand, ack);
    wire.flush();
    rounds = more ? rounds + 1 : 0;
    // Who is late while packets wait here was not late: it is us.
    if (more && rounds % ROUNDS !== 0) continue;
    engine.tick(now());
    wire.flush();
    if (!more) news.sleep(() => wire.wait(Math.ceil(Math.min(IDLE, Math.max(0, engine.earliest - now())))));
  }
}
