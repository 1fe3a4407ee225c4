import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type StreamOptions, streamEvents } from '../../server/http/event-stream.js';
import { listening } from '../../server/http/listen.js';
import { startCore, type TestCore } from '../support/boot-core.js';

// The stream by itself, with short times in place of 15 s and 60 s.
let core: TestCore;
let server: Server;
let ended: boolean;
beforeEach(async () => {
  core = await startCore();
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await core.close();
});

async function serve(options: Partial<StreamOptions>): Promise<number> {
  ended = false;
  server = createServer((_request, response) => {
    void streamEvents(response, {
      events: core.events,
      store: core.store,
      filter: {},
      after: undefined,
      closing: new AbortController().signal,
      ...options,
    }).finally(() => {
      ended = true;
    });
  });
  await listening(server, { host: '127.0.0.1', port: 0 });
  return (server.address() as AddressInfo).port;
}

test('a silent stream is kept open by comment lines', async () => {
  const port = await serve({ heartbeatMilliseconds: 10 });
  let text = '';
  const socket = connect(port, '127.0.0.1');
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await vi.waitFor(() => expect(text.split(': still here\n\n').length).toBeGreaterThan(3));
  socket.destroy();
  await vi.waitFor(() => expect(ended).toBe(true));
});

test('a client that takes nothing any more is cut off', async () => {
  const port = await serve({ stuckMilliseconds: 50, after: 0 });
  const big = 'x'.repeat(50_000);
  for (let i = 1; i <= 400; i += 1) {
    core.events.record({ source: 'server', kind: 'test.step', level: 'info', message: `${i}`, data: { big } });
  }
  await core.events.flush();
  const socket = connect(port, '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  socket.pause();
  await vi.waitFor(() => expect(ended).toBe(true), 10_000);
  socket.destroy();
}, 20_000);
