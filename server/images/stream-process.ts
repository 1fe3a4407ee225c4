import { rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSocketServer, Socket } from 'node:net';
import type { BootAnswer } from '../boot/contract.js';
import { ConnectionGuard } from './connection-guard.js';
import { createFileSender, type FileSender } from './file-sender.js';
import { createNginxAnswers } from './nginx-answers.js';
import { answerQuestions } from './nginx-questions.js';
import { openToNginx } from './nginx-user.js';
import { bodySender } from './send-body.js';
import { SLOW_MILLISECONDS } from './sendfile-messages.js';
import { createImageServer } from './serve-image.js';
import type { FromStream, StreamReport, StreamSettings, ToStream } from './stream-messages.js';

// The process that streams images and boot files. Its connections were accepted by the main process, which hands over the socket and
// what it read from it. It lives as long as the main process does.

const IDLE_MILLISECONDS = 15_000;
/** nginx tells the ends as late (nginx-config.ts): what wakes the main process takes the processor from nginx. */
const NGINX_LINGER_MS = 20;

const tell = (message: FromStream): void => {
  // False while the main process is busy: the message waits then. Without it there is nobody to tell.
  // When it has just been killed, the write fails; `disconnect` comes next.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
};

let behindNginx = false;
let reports: StreamReport[] = [];
const report = (one: StreamReport): void => {
  reports.push(one);
  if (reports.length > 1) return;
  if (behindNginx) setTimeout(tellReports, NGINX_LINGER_MS);
  else setImmediate(tellReports);
};
function tellReports(): void {
  tell({ kind: 'reports', reports });
  reports = [];
}

const server = createServer({ keepAlive: true, keepAliveTimeout: IDLE_MILLISECONDS });
/** None for nginx's connections: it looks after its clients, and a timer for each request costs as much as a quarter of the answer. */
let guard: ConnectionGuard | undefined;
// A client may close its own direction after the request (RFC 9112, section 9.6) and still wants the answer. Not in the types.
Reflect.set(server, 'httpAllowHalfOpen', true);

let fast: FileSender | undefined;
let lastAsk = 0;
let lastId = 0;
const nextId = (): number => ++lastId;
const asked = new Map<number, (answer: BootAnswer) => void>();

process.on('message', (message: ToStream, socket: unknown) => {
  switch (message.kind) {
    case 'settings':
      start(message).catch((error: unknown) => {
        console.error('the process that streams images does not start', error);
        process.exitCode = 1;
        process.disconnect();
      });
      return;
    case 'boot-file':
      asked.get(message.ask)?.(message.file);
      asked.delete(message.ask);
      return;
    case 'connection':
      // The client may have gone on the way here; then there is no socket.
      if (!(socket instanceof Socket)) return;
      // As an http.Server has it for the connections that it accepts itself.
      socket.allowHalfOpen = true;
      socket.unshift(Buffer.from(message.first, 'base64'));
      server.emit('connection', socket);
  }
});

async function start({ imagesDir, plain, accel, slowMilliseconds }: StreamSettings): Promise<void> {
  let slow = plain === true ? 'listen.images is streams' : undefined;
  if (accel === undefined) {
    guard = new ConnectionGuard(server, IDLE_MILLISECONDS);
    guard.endStuck(server, slowMilliseconds ?? SLOW_MILLISECONDS);
  }
  const limits = slowMilliseconds === undefined ? {} : { slowMilliseconds };
  if (slow === undefined) {
    try {
      fast = await createFileSender({ ...limits, onLost });
    } catch (error) {
      slow = error instanceof Error ? error.message : String(error);
    }
  }
  const serve = createImageServer({
    imagesDir,
    accel: accel !== undefined,
    report,
    nextId,
    sendBody: bodySender(fast, slowMilliseconds),
    bootFile: (target, method, address) =>
      new Promise((resolve) => {
        lastAsk += 1;
        asked.set(lastAsk, resolve);
        tell({ kind: 'boot-file?', ask: lastAsk, target, method, address });
      }),
  });
  server.on('request', (request, response) => {
    serve(request, response).catch((error: unknown) => {
      console.error('image download', error);
      response.destroy();
    });
  });
  behindNginx = accel !== undefined;
  if (accel !== undefined) await listenFor(accel, imagesDir);
  tell({ kind: 'ready', ...(slow === undefined ? {} : { slow }) });
}

/** nginx comes here for images; one that was here before may have left the socket behind. */
async function listenFor(path: string, imagesDir: string): Promise<void> {
  rmSync(path, { force: true });
  const answer = createNginxAnswers({ imagesDir, report, nextId });
  // What keeps this process alive is the main process, not nginx.
  const questions = createSocketServer((socket) => answerQuestions(socket.unref(), answer));
  await new Promise<void>((resolve, reject) => {
    questions.once('error', reject);
    questions.listen({ path, backlog: 4096 }, () => resolve());
  });
  openToNginx(path);
  process.once('disconnect', () => questions.close());
}

/** It holds descriptors of connections: only the end of the process closes them. The main process starts another. */
function onLost(reason: string): void {
  console.error(reason);
  process.exitCode = 1;
  if (process.connected) process.disconnect();
}

process.on('disconnect', () => {
  server.close();
  guard?.closeAll();
  server.closeAllConnections();
  fast?.close().catch((error: unknown) => console.error('sendfile', error));
});
// Ctrl-C and systemd signal the whole group; the main process ends first, in its own order.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
