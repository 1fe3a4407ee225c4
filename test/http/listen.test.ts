import { mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { type AddressInfo, createServer as createNetServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { listening, listenOnSocket } from '../../server/http/listen.js';

let dir: string;
let path: string;
const servers: { close: (done: () => void) => unknown }[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'anybios-listen-'));
  path = join(dir, 'anybios.sock');
});
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise<void>((resolve) => server.close(resolve));
  rmSync(dir, { recursive: true });
});

const opened = async (socket: string): Promise<Server> => {
  const server = createServer((_request, response) => response.end('hello'));
  await listenOnSocket(server, socket);
  servers.push(server);
  return server;
};
const ask = (): Promise<string> =>
  new Promise((resolve, reject) => {
    request({ socketPath: path, path: '/' }, (response) => {
      response.setEncoding('utf8').on('data', resolve);
    })
      .once('error', reject)
      .end();
  });

test('answers on the socket, which is open to its owner only', async () => {
  await opened(path);
  expect(await ask()).toBe('hello');
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('takes over the socket file of a server that was killed', async () => {
  // A listener that is closed without removing its file, as after kill -9.
  const dead = createNetServer();
  await new Promise<void>((resolve) => dead.listen(join(dir, 'dead'), resolve));
  renameSync(join(dir, 'dead'), path);
  await new Promise<void>((resolve) => dead.close(() => resolve()));
  expect(statSync(path).isSocket()).toBe(true);
  await opened(path);
  expect(await ask()).toBe('hello');
});

test('leaves the socket of a running server alone', async () => {
  await opened(path);
  await expect(listenOnSocket(createServer(), path)).rejects.toMatchObject({ code: 'conflict' });
  expect(await ask()).toBe('hello');
});

test('a port in use is named with a remedy', async () => {
  const first = createServer();
  servers.push(first);
  await listening(first, { host: '127.0.0.1', port: 0 });
  const { port } = first.address() as AddressInfo;
  await expect(listening(createServer(), { host: '127.0.0.1', port })).rejects.toMatchObject({
    code: 'conflict',
    message: `127.0.0.1:${port} is in use`,
    remedy: expect.stringContaining('listen.http'),
  });
  await expect(listening(createServer(), { host: '192.0.2.1', port: 0 })).rejects.toMatchObject({
    code: 'unavailable',
  });
});
