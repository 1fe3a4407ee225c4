import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { unauthorized } from '../../server/domain/errors.js';
import { failureOf, unexpected } from '../../server/images/failure-message.js';
import { createImageStore } from '../../server/images/store.js';
import { createUploadServer } from '../../server/images/upload-server.js';

/* What a client (nginx above all) sees that still sends when it is refused. */

let dir: string;
let server: ReturnType<typeof createUploadServer>;
const faults: unknown[] = [];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'anybios-upload-'));
  server = createUploadServer({
    store: await createImageStore(dir),
    authorize: async () => ({ refused: failureOf(unauthorized('no token')) ?? unexpected }),
    uploaded: () => undefined,
    fault: (error) => faults.push(error),
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
});
afterEach(() => {
  server.close();
  server.closeAllConnections();
  rmSync(dir, { recursive: true, force: true });
  expect(faults).toEqual([]);
});

const BODY = 200_000;

/** Says that a body of BODY bytes comes, and waits for the answer. */
async function refused(): Promise<{ socket: Socket; answer: string }> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.write(`POST /api/v1/image-files HTTP/1.1\r\nHost: here\r\nContent-Length: ${BODY}\r\n\r\n`);
  let answer = '';
  while (!answer.includes('"unauthorized"')) answer += String((await once(socket, 'data'))[0]);
  return { socket, answer };
}

test('a refused client can send to its end: the connection is not closed before, and not reset', async () => {
  const { socket, answer } = await refused();
  expect(answer).toMatch(/^HTTP\/1.1 401 /);
  // By the time another one has its answer, the end of the first connection would be here.
  (await refused()).socket.destroy();
  expect(socket.readableEnded).toBe(false);
  const ended = once(socket, 'end');
  socket.write(Buffer.alloc(BODY));
  await ended;
  socket.destroy();
});

test('one that does not go on is cut off', async () => {
  const { socket } = await refused();
  await once(socket, 'end');
  socket.destroy();
});
