import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import express from 'express';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseIpv4 } from '../../server/domain/ipv4.js';
import { parseMac } from '../../server/domain/mac.js';
import { agentRoutes } from '../../server/http/agent.js';
import { createHttpFront, type HttpFront } from '../../server/images/front.js';
import { ash } from '../initramfs/ash.js';
import { startCore, type TestCore } from '../support/boot-core.js';
import { SceneMachine } from '../support/scene.js';

/* The real words of stage 1 against the real queue and the real image server, which dies in the middle. */

const BYTES = randomBytes((12 << 20) + 777);
const DIGEST = createHash('sha256').update(BYTES).digest('hex');
const MACS = [1, 2, 3].map((last) => parseMac(`52:54:00:00:01:0${last}`));
const machines = MACS.map((mac, index) => ({ name: `n${index}`, macs: [mac], role: 'web', labels: {} }));
const log = { info: () => undefined, error: () => undefined };

const dir = mkdtempSync(join(tmpdir(), 'anybios-storm-'));
let core: TestCore;
let front: HttpFront | undefined;
let proxy: Server;
/** What the machines talk to: it cuts the cable after so many bytes of an image, once, and the server is started again. */
let cutAfter = Number.POSITIVE_INFINITY;
let restarting: Promise<void> = Promise.resolve();
const ranges: string[] = [];

async function serve(): Promise<void> {
  const app = express().use('/agent/v1', agentRoutes({ ...core, log }));
  front = createHttpFront({
    server: createHttpServer(app),
    address: '127.0.0.1',
    port: 0,
    imagesDir: dir,
    takeUpload: (socket) => socket.destroy(),
    answerBoot: async () => ({ kind: 'none', status: 404, reason: 'not here' }),
    onTransfer: (report) => core.boot.transfer(report),
    log,
  });
  await front.start();
}

async function restart(): Promise<void> {
  const old = front;
  front = undefined;
  await old?.close();
  core = await core.restart();
  await serve();
}

beforeAll(async () => {
  mkdirSync(join(dir, 'sha256'));
  writeFileSync(join(dir, 'sha256', DIGEST), BYTES);
  core = await startCore({ machines, downloads: { atOnce: 1, perSubnet: 1 } });
  await serve();
  proxy = createServer((socket) => relay(socket)).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
});
afterAll(async () => {
  await restarting;
  proxy.close();
  await front?.close();
  await core.close();
  rmSync(dir, { recursive: true });
});

function relay(machine: Socket): void {
  if (front === undefined) {
    machine.destroy();
    return;
  }
  const server = connect(front.port, '127.0.0.1');
  for (const [one, other] of [
    [machine, server],
    [server, machine],
  ] as const) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
  machine.on('data', (chunk) => {
    const range = /^range: *(\S+)/im.exec(chunk.toString('latin1'))?.[1];
    if (range !== undefined) ranges.push(range);
    server.write(chunk);
  });
  let passed = 0;
  server.on('data', (chunk) => {
    passed += chunk.length;
    if (passed > cutAfter) {
      cutAfter = Number.POSITIVE_INFINITY;
      machine.destroy();
      restarting = restart();
    } else machine.write(chunk);
  });
}

test('they wait for their turn and say so; the server is started again in the middle, and both have every byte', async () => {
  const scenes = MACS.map((mac, index) => new SceneMachine(core, mac, parseIpv4(`10.77.0.12${index}`)));
  for (const scene of scenes) await scene.toStage1();
  const base = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  // The clock is the test's; pauses are short ones, the order is what counts. `done` is what the report "mounted" means.
  const script = `sleep() { command sleep 0.05; }
server=$1; total=$3; mkdir images
progress() { report rootfs fetching file rootfs bytes "$1" total "$2"; }
image_fetch "$1/images/sha256/$2/rootfs.squashfs" "$2" "$3" progress || { echo "$reason"; cat said; exit 1; }
report_surely rootfs mounted || exit 1
sha256sum images/*.img | cut -c 1-64; cat said`;
  const libraries = ['console', 'kv', 'http', 'retry', 'report', 'fetch', 'image'];
  const [first, ...others] = scenes;
  expect(first?.turn()).toBe('go');
  const running = Promise.all(
    others.map(({ credential }) =>
      ash(libraries, script, [base, DIGEST, String(BYTES.length)], { credential: `${credential}\n` }),
    ),
  );
  await expect.poll(() => core.downloadQueue.waiting, { timeout: 20_000 }).toBe(2);
  cutAfter = 5 << 20;
  await first?.report({ stage: 'rootfs', step: 'mounted' });
  const results = await running;
  await restarting;
  for (const { stdout, status } of results) {
    expect(stdout).toContain(`${DIGEST}\n`);
    expect(status).toBe(0);
  }
  // The one that was cut off went on from where it was.
  expect(ranges.length).toBeGreaterThan(0);
  const places = results.map(
    ({ stdout }) => /waiting for its turn, (place \d of \d) in the queue; machines loading now: 1/.exec(stdout)?.[1],
  );
  expect(places.toSorted()[0]).toBe('place 1 of 1');
  expect(places.toSorted()[1]).toBe('place 2 of 2');
}, 60_000);
