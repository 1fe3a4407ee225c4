import { once } from 'node:events';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ImageQuestion, type NginxAnswer, refusal } from '../../server/images/nginx-answers.js';
import { answerQuestions } from '../../server/images/nginx-questions.js';
import { tempFolder } from '../support/temp-folder.js';

let server: Server;
let nginx: Socket;
let heard: ImageQuestion[];
let answer: (question: ImageQuestion) => NginxAnswer | Promise<NginxAnswer>;
let said: string;

beforeEach(async () => {
  heard = [];
  said = '';
  answer = () => ({ status: 200, reason: 'OK', head: ['X-Accel-Redirect', '/there'], body: '' });
  server = createServer((socket) =>
    answerQuestions(socket, (question) => {
      heard.push(question);
      return answer(question);
    }),
  );
  const path = join(tempFolder(), 'images.sock');
  server.listen(path);
  await once(server, 'listening');
  nginx = createConnection(path);
  nginx.on('data', (bytes) => {
    said += bytes.toString('utf8');
  });
  await once(nginx, 'connect');
});
afterEach(() => {
  nginx.destroy();
  server.close();
});

const until = (is: () => boolean): Promise<void> => expect.poll(is, { interval: 2 }).toBe(true);
/** What was written has been read. */
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
};

const ASKS = 'GET /images/sha256/ab HTTP/1.1\r\nHost: h\r\nX-Anybios-Client: 10.0.0.7\r\n';

describe('what nginx asks', () => {
  test('in pieces, and again on the same connection', async () => {
    for (const piece of [ASKS.slice(0, 9), ASKS.slice(9), '\r', '\n']) {
      nginx.write(piece);
      await settled();
    }
    await until(() => said.endsWith('\r\n\r\n'));
    expect(said).toBe('HTTP/1.1 200 OK\r\nX-Accel-Redirect: /there\r\nContent-Length: 0\r\n\r\n');
    nginx.write(`${ASKS}Range: bytes=0-9\r\nAccept-Encoding: zstd\r\n\r\n`);
    await until(() => heard.length === 2);
    expect(heard).toEqual([
      { method: 'GET', target: '/images/sha256/ab', address: '10.0.0.7', range: undefined, acceptEncoding: undefined },
      { method: 'GET', target: '/images/sha256/ab', address: '10.0.0.7', range: 'bytes=0-9', acceptEncoding: 'zstd' },
    ]);
  });

  test('a refusal has its reason in the status line and in a body; HEAD has none', async () => {
    answer = () => refusal(404, 'no file – here', ['Allow', 'GET']);
    nginx.write(`${ASKS}\r\n`);
    await until(() => said.endsWith('here\n'));
    const bytes = Buffer.byteLength('no file – here\n');
    const head = `HTTP/1.1 404 no file ? here\r\nContent-Type: text/plain; charset=utf-8\r\nAllow: GET\r\nContent-Length: ${bytes}\r\n\r\n`;
    expect(said).toBe(`${head}no file – here\n`);
    said = '';
    nginx.write(`${ASKS.replace('GET', 'HEAD')}\r\n`);
    await until(() => said.endsWith('\r\n\r\n'));
    expect(said).toBe(head);
  });

  test('what is answered late is answered first: one question at a time', async () => {
    const late: ((made: NginxAnswer) => void)[] = [];
    answer = () => new Promise((resolve) => late.push(resolve));
    nginx.write(`${ASKS}\r\n${ASKS}\r\n`);
    await until(() => heard.length === 1);
    await settled();
    expect(heard).toHaveLength(1);
    late[0]?.(refusal(500, 'first'));
    await until(() => heard.length === 2);
    late[1]?.(refusal(500, 'second'));
    await until(() => said.includes('second\n'));
    expect(said.indexOf('first\n')).toBeLessThan(said.indexOf('second\n'));
  });

  test.each([
    ['nothing that nginx sends', 'hello\r\n\r\n'],
    ['another version', 'GET / HTTP/1.0\r\n\r\n'],
    ['a head without an end', 'x'.repeat(40_000)],
  ])('%s: the connection ends', async (_, bytes) => {
    nginx.write(bytes);
    await once(nginx, 'close');
    expect(heard).toEqual([]);
    expect(said).toBe('');
  });

  test('a fault ends the connection, and nginx asks another way', async () => {
    answer = () => Promise.reject(new Error('disk'));
    nginx.write(`${ASKS}\r\n`);
    await once(nginx, 'close');
    expect(said).toBe('');
  });
});
