import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import express from 'express';
import { expect, test } from 'vitest';
import { redirectImages } from '../../server/images/redirect-images.js';

const IMAGE = `/images/sha256/${'a'.repeat(64)}/vmlinuz`;

async function ask(options: object): Promise<IncomingMessage> {
  const [response] = await once(get({ path: IMAGE, ...options }), 'response');
  response.resume();
  return response;
}

test('an image on the main server: 307 to itself by TCP, passed on by the unix socket', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'fi-redirect-'));
  const app = express();
  app.use(redirectImages);
  app.use((_request, response) => {
    response.send('passed on');
  });
  const tcp = createServer(app).listen(0, '127.0.0.1');
  const unix = createServer(app).listen(join(dir, 'socket'));
  await Promise.all([once(tcp, 'listening'), once(unix, 'listening')]);
  const { port } = tcp.address() as AddressInfo;

  const redirected = await ask({ port, host: '127.0.0.1' });
  expect([redirected.statusCode, redirected.headers.location, redirected.headers.connection]).toEqual([
    307,
    IMAGE,
    'close',
  ]);
  expect((await ask({ port, host: '127.0.0.1', path: '/boot/ipxe/x' })).statusCode).toBe(200);
  expect((await ask({ port, host: '127.0.0.1', method: 'PUT' })).statusCode).toBe(200);
  expect((await ask({ socketPath: join(dir, 'socket') })).statusCode).toBe(200);

  tcp.close();
  unix.close();
  await rm(dir, { recursive: true });
});
