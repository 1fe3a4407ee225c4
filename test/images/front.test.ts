import { once } from 'node:events';
import { symlink, truncate, writeFile } from 'node:fs/promises';
import { Agent, get, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FrontRig, frontRig, LARGE, rawConnection, sha256 } from '../support/front-rig.js';
import { seededBytes } from '../support/tftp-random.js';

// More than 300 lines: every way of a connection through one front, which is started once.

let rig: FrontRig;
const bytes = seededBytes(1, 3_000_001);
let path: string;

beforeAll(async () => {
  rig = await frontRig();
  path = await rig.put(bytes);
});
afterAll(() => rig.close());

const body = async (response: Response): Promise<Buffer> => Buffer.from(await response.arrayBuffer());

describe('images', () => {
  test.each(['', '/vmlinuz', '/x?y=1'])('by digest, with "%s" behind it', async (suffix) => {
    const response = await fetch(`${rig.url}${path}${suffix}`);
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      etag: `"${sha256(bytes)}"`,
      'accept-ranges': 'bytes',
      'cache-control': 'public, max-age=31536000, immutable',
      'content-length': '3000001',
      'content-type': 'application/octet-stream',
    });
    expect((await body(response)).equals(bytes)).toBe(true);
  });

  test('HEAD gives the size', async () => {
    const response = await fetch(`${rig.url}${path}`, { method: 'HEAD' });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-length')).toBe('3000001');
    expect((await body(response)).length).toBe(0);
  });

  test('an empty one', async () => {
    const response = await fetch(`${rig.url}${await rig.put(Buffer.alloc(0))}`);
    expect([response.status, response.headers.get('content-length')]).toEqual([200, '0']);
  });

  test('a part, from where a broken download stopped', async () => {
    const headers = { Range: 'bytes=2999990-', 'If-Range': `"${sha256(bytes)}"` };
    const response = await fetch(`${rig.url}${path}`, { headers });
    expect(response.status).toBe(206);
    expect(response.headers.get('content-range')).toBe('bytes 2999990-3000000/3000001');
    expect((await body(response)).equals(bytes.subarray(2_999_990))).toBe(true);
  });

  test('a part that is not there', async () => {
    const response = await fetch(`${rig.url}${path}`, { headers: { Range: 'bytes=3000001-' } });
    expect(response.status).toBe(416);
    expect(response.headers.get('content-range')).toBe('bytes */3000001');
    expect(await response.text()).toBe('the file has 3000001 bytes, the range starts at 3000001\n');
  });

  test('one that the client has already', async () => {
    const response = await fetch(`${rig.url}${path}`, { headers: { 'If-None-Match': `"${sha256(bytes)}"` } });
    expect([response.status, (await body(response)).length]).toEqual([304, 0]);
  });

  test('one that is not here, with the reason in the status line', async () => {
    const response = await fetch(`${rig.url}/images/sha256/${'0'.repeat(64)}`);
    expect([response.status, response.statusText]).toEqual([404, 'no file with this sha256 is here']);
    expect(await response.text()).toBe('no file with this sha256 is here\n');
  });

  test('a link in the store is not followed', async () => {
    const name = 'f'.repeat(64);
    await writeFile(join(rig.dir, 'secret'), 'secret');
    await symlink('../secret', join(rig.dir, 'sha256', name));
    const response = await fetch(`${rig.url}/images/sha256/${name}`);
    expect([response.status, await response.text()]).toEqual([
      500,
      'this image is damaged on the server: import it again\n',
    ]);
  });

  test('many, one after another, on one connection', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ports = new Set<number | undefined>();
    for (let round = 0; round < 20; round++) {
      const request = get(`${rig.url}${path}`, { agent, headers: { Range: `bytes=${round}-${round + 9}` } });
      const [response] = await once(request, 'response');
      ports.add(request.socket?.localPort);
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk);
      expect(Buffer.concat(chunks).equals(bytes.subarray(round, round + 10))).toBe(true);
    }
    agent.destroy();
    expect(ports.size).toBe(1);
  });

  test('two hundred at once', async () => {
    const all = await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        const response = await fetch(`${rig.url}${path}`, { headers: { Range: `bytes=${index * 14_000}-2999999` } });
        return sha256(await body(response)) === sha256(bytes.subarray(index * 14_000, 3_000_000));
      }),
    );
    expect(all.every((same) => same)).toBe(true);
  }, 60_000);
});

describe('everything else reaches the main server', () => {
  test('a script', async () => {
    expect(await (await fetch(`${rig.url}/other/ipxe/x`)).text()).toBe('main: GET /other/ipxe/x');
  });

  test('a body', async () => {
    const sent = 'line=1\n'.repeat(20_000);
    const response = await fetch(`${rig.url}/agent/v1/report`, { method: 'POST', body: sent });
    expect(await response.text()).toBe('main: POST /agent/v1/report');
    expect(rig.main.at(-1)).toBe(`POST /agent/v1/report ${sent}`.trim());
  });

  test('rubbish gets its 400', async () => {
    const { socket, answer } = rawConnection(rig.front.port);
    socket.write('\x16\x03\x01 not http\n\n');
    expect((await answer).toString()).toMatch(/^HTTP\/1.1 400 /);
  });

  const traversals = [
    '/images/sha256/../../secret',
    '/images/sha256/..%2f..%2fsecret',
    '/images/sha256/%2e%2e/%2e%2e/secret',
    '/images/sha256/..\\..\\secret',
    `/images/sha256/${'0'.repeat(64)}/../../secret`,
    '/images/incoming/x',
    '//images/sha256/x',
  ];
  test.each(traversals)('no file leaves the store by %s', async (target) => {
    const { socket, answer } = rawConnection(rig.front.port);
    socket.write(`GET ${target} HTTP/1.0\r\n\r\n`);
    expect((await answer).toString()).toContain(`main: GET ${target}`);
  });

  test('a NUL is a bad request', async () => {
    const { socket, answer } = rawConnection(rig.front.port);
    socket.write(`GET ${path}\0.efi HTTP/1.0\r\n\r\n`);
    expect((await answer).toString()).toMatch(/^HTTP\/1.1 400 /);
  });
});

describe('a kept-alive connection that changes sides', () => {
  const close = 'Connection: close\r\n';

  test('from an image to a script: sent to a new connection', async () => {
    const { socket, answer } = rawConnection(rig.front.port);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nRange: bytes=0-0\r\n\r\nGET /other/x HTTP/1.1\r\nHost: x\r\n\r\n`);
    const text = (await answer).toString('latin1');
    expect(text).toContain('HTTP/1.1 206');
    expect(text).toContain('HTTP/1.1 307');
    expect(text).toContain('Location: /other/x\r\n');
    expect(text).toContain(close);
  });

  test('from an image to a report: 421, for a body cannot be redirected by everyone', async () => {
    const { socket, answer } = rawConnection(rig.front.port);
    socket.write(
      `HEAD ${path} HTTP/1.1\r\nHost: x\r\n\r\nPOST /agent/v1/report HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx`,
    );
    const text = (await answer).toString('latin1');
    expect(text).toContain('HTTP/1.1 421');
    expect(text).toContain(close);
  });

  test.each(['//elsewhere/x', '/\\elsewhere/x'])(
    'from an image to another host by %s: not redirected',
    async (other) => {
      const { socket, answer } = rawConnection(rig.front.port);
      socket.write(`HEAD ${path} HTTP/1.1\r\nHost: x\r\n\r\nGET ${other} HTTP/1.1\r\nHost: x\r\n\r\n`);
      const text = (await answer).toString('latin1');
      expect(text).toContain('HTTP/1.1 421');
      expect(text).not.toContain('Location');
    },
  );

  test('from a script to an image', async () => {
    const { socket, answer } = rawConnection(rig.front.port);
    socket.write(`GET /other/x HTTP/1.1\r\nHost: x\r\n\r\nGET ${path}/vmlinuz HTTP/1.1\r\nHost: x\r\n\r\n`);
    const text = (await answer).toString('latin1');
    expect(text).toContain('main: GET /other/x');
    expect(text).toContain('HTTP/1.1 307');
    expect(text).toContain(`Location: ${path}/vmlinuz\r\n`);
    expect(text).toContain(close);
  });

  test('fetch follows', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    agent.destroy();
    for (const round of [1, 2, 3]) {
      expect(await (await fetch(`${rig.url}/other/${round}`)).text()).toBe(`main: GET /other/${round}`);
      expect((await body(await fetch(`${rig.url}${path}`))).equals(bytes)).toBe(true);
    }
  });
});

test('the hand-over loses nothing, wherever the first bytes are cut', async () => {
  const first = `GET ${path} HTTP/1.1\r\nHost: x\r\nRange: bytes=5-9\r\n\r\n`;
  const second = `GET ${path}/b HTTP/1.1\r\nHost: x\r\nRange: bytes=10-14\r\nConnection: close\r\n\r\n`;
  const both = first + second;
  const texts = await Promise.all(
    Array.from({ length: both.length - 1 }, async (_, index) => {
      const { socket, answer } = rawConnection(rig.front.port);
      await once(socket, 'connect');
      socket.write(both.slice(0, index + 1));
      // The second piece in a packet of its own: after a turn of the event loop, so that the first may be on its way already.
      setImmediate(() => socket.write(both.slice(index + 1)));
      return (await answer).toString('latin1');
    }),
  );
  for (const text of texts) {
    expect(text).toContain('Content-Range: bytes 5-9/');
    expect(text).toContain('Content-Range: bytes 10-14/');
    expect(text.split('\r\n\r\n')[1]?.startsWith(bytes.toString('latin1', 5, 10))).toBe(true);
    expect(text.endsWith(bytes.toString('latin1', 10, 15))).toBe(true);
  }
}, 30_000);

test('byte by byte, to either side', async () => {
  for (const [target, expected] of [
    [path, 'HTTP/1.1 206'],
    ['/other/x', 'main: GET /other/x'],
  ] as const) {
    const { socket, answer } = rawConnection(rig.front.port);
    await once(socket, 'connect');
    for (const letter of `GET ${target} HTTP/1.1\r\nHost: x\r\nRange: bytes=0-0\r\nConnection: close\r\n\r\n`) {
      socket.write(letter);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await answer).toString('latin1')).toContain(expected);
  }
});

describe('what the timeline is told', () => {
  test('a download, from its start to its end, with the address and the name', async () => {
    const one = await frontRig();
    const image = await one.put(bytes);
    await body(await fetch(`${one.url}${image}/rootfs.img`));
    const [end] = await one.ended(1);
    expect(end).toMatchObject({
      requester: { protocol: 'http', address: 0x7f000001 },
      name: `${image.slice(1)}/rootfs.img`,
      phase: 'sent',
      bytes: bytes.length,
      total: bytes.length,
    });
    expect(one.transfers.map(({ phase }) => phase)).toEqual(['started', 'sent']);
    expect(one.log.filter((line) => line.startsWith('image'))).toEqual([expect.stringContaining('image sent')]);
    await one.close();
  });

  test('the size, a missing image, a part, a client that leaves', async () => {
    const one = await frontRig();
    const image = await one.put(Buffer.alloc(40_000_000));
    await fetch(`${one.url}${image}`, { method: 'HEAD' });
    await (await fetch(`${one.url}/images/sha256/${'0'.repeat(64)}`)).text();
    await body(await fetch(`${one.url}${image}`, { headers: { Range: 'bytes=0-99' } }));
    const { socket } = rawConnection(one.front.port);
    socket.write(`GET ${image} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await once(socket, 'data');
    socket.destroy();
    expect((await one.ended(3)).map(({ phase, reason }) => [phase, reason])).toEqual([
      ['probed', undefined],
      ['failed', 'no file with this sha256 is here'],
      ['failed', 'the client closed the connection'],
    ]);
    await one.close();
  });

  test('an image that loses its end while it is sent: the connection breaks off', async () => {
    const one = await frontRig();
    const image = await one.put(Buffer.alloc(40_000_000));
    const { socket, answer } = rawConnection(one.front.port);
    socket.write(`GET ${image} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await once(socket, 'data');
    socket.pause();
    await truncate(join(one.dir, image.slice('/images/'.length)), 1000);
    socket.resume();
    expect((await answer).length).toBeLessThan(40_000_000);
    expect(await one.ended(1)).toMatchObject([
      { phase: 'failed', reason: 'the file became shorter while it was sent' },
    ]);
    await one.close();
  });

  test('a slow reader holds up nobody, and progress is told about once a second', async () => {
    const one = await frontRig();
    const image = await one.put(Buffer.alloc(60_000_000, 7));
    const { socket, answer } = rawConnection(one.front.port);
    socket.write(`GET ${image} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    await once(socket, 'data');
    socket.pause();
    for (let round = 0; round < 20; round++) {
      expect((await body(await fetch(`${one.url}${image}`, { headers: { Range: 'bytes=0-999999' } }))).length).toBe(
        1e6,
      );
    }
    const begun = performance.now();
    let taken = 0;
    socket.on('data', (chunk: Buffer) => {
      taken += chunk.length;
      // 20 MB a second: whoever is ahead of that waits.
      const ahead = taken / 20_000 - (performance.now() - begun);
      if (ahead <= 0) return;
      socket.pause();
      setTimeout(() => socket.resume(), ahead);
    });
    socket.resume();
    expect((await answer).length).toBeGreaterThan(60_000_000);
    await one.ended(1);
    const progress = one.transfers.filter(({ phase }) => phase === 'progress');
    expect(progress.length).toBeGreaterThanOrEqual(1);
    for (const [index, { milliseconds }] of progress.entries())
      expect(milliseconds - (progress[index - 1]?.milliseconds ?? 0)).toBeGreaterThanOrEqual(900);
    expect(progress[0]?.bytes).toBeLessThan(60_000_000);
    await one.close();
  }, 20_000);
});

describe('the process that streams', () => {
  test('kill -9: running downloads are told as failed, new ones wait for the next process', async () => {
    const one = await frontRig();
    const image = await one.put(Buffer.alloc(40_000_000));
    const pid = one.front.childPid ?? 0;
    const { socket, answer } = rawConnection(one.front.port);
    socket.write(`GET ${image} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await once(socket, 'data');
    socket.pause();
    await expect.poll(() => one.transfers.length).toBe(1);
    process.kill(pid, 'SIGKILL');
    await expect.poll(() => one.front.childPid).not.toBe(pid);
    socket.resume();
    expect((await answer).length).toBeLessThan(40_000_000);
    expect(await one.ended(1)).toMatchObject([
      { phase: 'failed', reason: 'the process that streams images ended (SIGKILL)' },
    ]);
    expect((await body(await fetch(`${one.url}${image}`))).length).toBe(40_000_000);
    expect(one.front.childPid).not.toBe(pid);
    expect(one.log.some((line) => line.includes('images ended, a new one is started'))).toBe(true);
    await one.close();
  });

  test('signals to the whole group do not end it before the main process', async () => {
    const one = await frontRig();
    const pid = one.front.childPid ?? 0;
    process.kill(pid, 'SIGINT');
    process.kill(pid, 'SIGTERM');
    expect((await fetch(`${one.url}${await one.put(bytes)}`)).status).toBe(200);
    expect(one.front.childPid).toBe(pid);
    await one.close();
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });
});

test('a connection that is reset on its way to the child leaves the server running', async () => {
  const one = await frontRig();
  const image = await one.put(bytes);
  const pid = one.front.childPid ?? 0;
  process.kill(pid, 'SIGSTOP');
  const { socket } = rawConnection(one.front.port);
  await once(socket, 'connect');
  socket.write(`GET ${image} HTTP/1.1\r\nHost: x\r\n\r\n`);
  // The front has taken what came before when it answers what came after.
  for (const path of ['/1', '/2', '/3']) await fetch(`${one.url}${path}`);
  socket.resetAndDestroy();
  await once(socket, 'close');
  process.kill(pid, 'SIGCONT');
  expect((await body(await fetch(`${one.url}${image}`))).length).toBe(bytes.length);
  await one.ended(1);
  expect(one.transfers.at(-1)).toMatchObject({ phase: 'sent', bytes: bytes.length });
  await one.close();
});

test('a client that resets its connection keeps its address: it must not be taken for nginx, which says who asks', async () => {
  const one = await frontRig();
  const asked: unknown[] = [];
  one.server.on('request', (request) => asked.push(request.socket.remoteAddress));
  for (let count = 0; count < 10; count += 1) {
    const { socket } = rawConnection(one.front.port);
    // In one go, before the event loop comes to what was sent.
    socket.once('connect', () => {
      socket.write('GET /reset HTTP/1.1\r\nHost: x\r\nX-Anybios-Client: 10.77.0.9\r\n\r\n');
      socket.resetAndDestroy();
    });
    await once(socket, 'close');
  }
  await fetch(`${one.url}/after`);
  expect(new Set(asked)).toEqual(new Set(['127.0.0.1']));
  await one.close();
});

describe('answers that nobody takes', () => {
  test('many on one connection, which is ended', async () => {
    const one = await frontRig({ limits: { slowMilliseconds: 300 } });
    const { socket, answer } = rawConnection(one.front.port);
    const taken = once(one.server, 'connection');
    socket.pause().write('GET /large HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(3));
    const [connection] = await taken;
    await once(connection, 'close');
    socket.resume();
    expect((await answer).length).toBeLessThan(3 * LARGE);
    await one.close();
  });

  test('who waits for an answer that takes its time is not ended', async () => {
    const one = await frontRig({ limits: { slowMilliseconds: 50 } });
    const waiting = rawConnection(one.front.port);
    const [, response] = await Promise.all([
      waiting.socket.write('GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'),
      new Promise<ServerResponse>((resolve) => one.server.once('request', (_, answer) => resolve(answer))),
    ]);
    let times = 0;
    await new Promise<void>((resolve) => {
      one.server.on('timeout', () => {
        times += 1;
        if (times === 3) resolve();
      });
    });
    response.end('at last');
    expect((await waiting.answer).toString()).toContain('at last');
    await one.close();
  });
});

describe('connections that send nothing', () => {
  test('are closed after a while: new, half a line, half a head, idle', async () => {
    const one = await frontRig({ headMilliseconds: 200 });
    const image = await one.put(bytes);
    const answers = ['', 'GET /oth', 'GET /other/x HTTP/1.1\r\nHost:', 'GET /other/x HTTP/1.1\r\nHost: x\r\n\r\n'].map(
      (text) => {
        const { socket, answer } = rawConnection(one.front.port);
        socket.write(text);
        return answer;
      },
    );
    const texts = (await Promise.all(answers)).map(String);
    expect(texts.slice(0, 3)).toEqual(['', '', '']);
    expect(texts[3]).toContain('main: GET /other/x');
    // A download takes as long as it takes.
    const { socket, answer } = rawConnection(one.front.port);
    socket.write(`GET ${image} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    await once(socket, 'data');
    socket.pause();
    // A silent connection that began after it has run out of time.
    await rawConnection(one.front.port).answer;
    socket.resume();
    expect((await answer).length).toBeGreaterThan(bytes.length);
    await one.close();
  });

  test('do not keep the server from closing; a request in progress may end', async () => {
    const one = await frontRig();
    const silent = rawConnection(one.front.port);
    const idle = rawConnection(one.front.port);
    idle.socket.write('GET /other/x HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(idle.socket, 'data');
    const slow = rawConnection(one.front.port);
    slow.socket.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n');
    await expect.poll(() => one.main.includes('GET /slow')).toBe(true);
    const late = rawConnection(one.front.port);
    const reached = once(one.server, 'request');
    late.socket.write('POST /late HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\n');
    await reached;
    const ended: string[] = [];
    const ends = Object.entries({ silent, idle, slow }).map(async ([name, { answer }]) => {
      await answer;
      ended.push(name);
    });
    const closed = one.close();
    await idle.answer;
    late.socket.write('body');
    expect((await late.answer).toString()).toContain('main: POST /late');
    await closed;
    await Promise.all(ends);
    expect(ended).toHaveLength(3);
    expect(ended.at(-1)).toBe('slow');
  });
});

test('a port in use is told with its remedy', async () => {
  const { createHttpFront } = await import('../../server/images/front.js');
  const note = (): void => undefined;
  const second = createHttpFront({
    server: rig.server,
    address: '127.0.0.1',
    port: rig.front.port,
    imagesDir: rig.dir,
    answerBoot: async () => ({ kind: 'none', status: 404, reason: 'no' }),
    takeUpload: note,
    onTransfer: note,
    log: { info: note, error: note },
  });
  await expect(second.start()).rejects.toMatchObject({ code: 'conflict', field: 'listen.http' });
});

describe('boot files and scripts', () => {
  test('a script is answered on a connection that goes on, first to another, then to an image', async () => {
    const { socket, answer } = rawConnection(rig.front.port);
    const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: x\r\n`;
    socket.write(
      `${get('/boot/ipxe/a')}\r\n${get('/boot/ipxe/b')}\r\n${get(path)}Range: bytes=5-9\r\nConnection: close\r\n\r\n`,
    );
    const text = (await answer).toString('latin1');
    expect(text).toContain('boot: /boot/ipxe/aHTTP/1.1 200 OK');
    expect(text).toContain('boot: /boot/ipxe/bHTTP/1.1 206');
    expect(text.endsWith(bytes.toString('latin1', 5, 10))).toBe(true);
    expect(text).not.toContain(' 307 ');
  });

  test('HEAD of a script has its length and no body', async () => {
    const { socket, answer } = rawConnection(rig.front.port);
    socket.write('HEAD /boot/ipxe/abc HTTP/1.0\r\n\r\n');
    const text = (await answer).toString('latin1');
    expect(text).toContain('Content-Length: 20\r\n');
    expect(text.endsWith('\r\n\r\n')).toBe(true);
  });

  test('a file comes from the other process, with its size for HEAD, parts and an outcome', async () => {
    const one = await frontRig({ answerBoot: async (name) => siteFile(name) });
    const file = join(one.dir, 'large.iso');
    await writeFile(file, bytes);
    const siteFile = (name: string) =>
      name === '/files/large.iso'
        ? ({ kind: 'file', name: 'files/large.iso', path: file, contentType: 'application/octet-stream' } as const)
        : ({ kind: 'none', status: 404, reason: 'no such file' } as const);
    const head = await fetch(`${one.url}/files/large.iso`, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(bytes.length)]);
    expect((await body(await fetch(`${one.url}/files/large.iso?x=1`))).equals(bytes)).toBe(true);
    const etag = head.headers.get('etag') ?? '';
    const headers = { Range: 'bytes=1000-', 'If-Range': etag };
    const part = await fetch(`${one.url}/files/large.iso`, { headers });
    expect([part.status, (await body(part)).equals(bytes.subarray(1000))]).toEqual([206, true]);
    await writeFile(file, bytes.subarray(0, 2000));
    const changed = await fetch(`${one.url}/files/large.iso`, { headers });
    expect([changed.status, (await body(changed)).length]).toEqual([200, 2000]);
    const missing = await fetch(`${one.url}/boot/nothing`);
    expect([missing.status, missing.statusText]).toEqual([404, 'no such file']);
    await symlink('large.iso', join(one.dir, 'link'));
    expect((await one.ended(4)).map(({ phase, name }) => [phase, name])).toEqual([
      ['probed', 'files/large.iso'],
      ['sent', 'files/large.iso'],
      ['sent', 'files/large.iso'],
      ['sent', 'files/large.iso'],
    ]);
    await one.close();
  });
});

describe.each(['sendfile', 'streams'])('%s', (kind) => {
  const limits = { plain: kind === 'streams', slowMilliseconds: 300 };

  test('a reader that takes next to nothing is cut off, with the reason', async () => {
    const one = await frontRig({ limits });
    const image = await one.put(Buffer.alloc(40_000_000));
    const { socket, answer } = rawConnection(one.front.port);
    socket.write(`GET ${image} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await once(socket, 'data');
    socket.pause();
    expect(await one.ended(1)).toMatchObject([{ phase: 'failed', reason: 'the client took less than 64 KiB in 0 s' }]);
    socket.resume();
    expect((await answer).length).toBeLessThan(40_000_000);
    await one.close();
  });

  test('a client that has said all it wants to say still gets its answer', async () => {
    const one = await frontRig({ limits: { plain: limits.plain } });
    const { socket, answer } = rawConnection(one.front.port);
    socket.end(`GET ${await one.put(bytes)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect((await answer).subarray(-bytes.length).equals(bytes)).toBe(true);
    await one.close();
  });

  test('a variant beside the image, for who takes it', async () => {
    const one = await frontRig({ limits: { plain: limits.plain } });
    const image = await one.put(bytes);
    const packed = gzipSync(bytes);
    await writeFile(join(one.dir, `${image.slice('/images/'.length)}.gz`), packed);
    const raw = rawConnection(one.front.port);
    raw.socket.write(`GET ${image} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip, zstd\r\nConnection: close\r\n\r\n`);
    const answer = await raw.answer;
    const head = answer.subarray(0, answer.indexOf('\r\n\r\n')).toString();
    expect(head).toContain('Content-Encoding: gzip');
    expect(head).toContain(`ETag: "${sha256(bytes)}.gz"`);
    expect(head).toContain('Vary: Accept-Encoding');
    expect(answer.subarray(-packed.length).equals(packed)).toBe(true);
    const plain = await fetch(`${one.url}${image}`, { headers: { 'Accept-Encoding': 'identity' } });
    expect([plain.headers.get('content-encoding'), (await body(plain)).equals(bytes)]).toEqual([null, true]);
    await one.close();
  });
});
