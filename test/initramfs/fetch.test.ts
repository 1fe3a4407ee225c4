import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ash } from './ash.js';

const BYTES = Buffer.from(Array.from({ length: 300_000 }, (_value, index) => (index * 7) % 251));
const DIGEST = createHash('sha256').update(BYTES).digest('hex');
const LIBRARIES = ['console', 'kv', 'http', 'retry', 'fetch'];
// One second is the shortest step of the back-off; the tests need the order of things, not the waiting.
const SCRIPT =
  'sleep() { :; }; said() { echo "$1 of $2"; }; fetch_verified "$1" file "$2" "$3" said && echo taken; echo "$reason"; sha256sum file | cut -c 1-64';

type Answer = 'whole' | 'half' | 'spoilt' | 'ignore-range' | 'missing' | 'trouble';

let server: Server;
let url: string;
let plan: Answer[] = [];
let ranges: (string | undefined)[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    const answer = plan.shift() ?? 'whole';
    ranges.push(request.headers.range);
    if (answer === 'missing') return void response.writeHead(404, 'no such image').end();
    if (answer === 'trouble') return void response.writeHead(503, 'starting').end();
    const start = answer === 'ignore-range' ? 0 : Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const body = Buffer.from(BYTES.subarray(start));
    if (answer === 'spoilt') body[body.length - 1] = 255;
    response.writeHead(start > 0 ? 206 : 200, {
      'content-length': body.length,
      ...(start > 0 ? { 'content-range': `bytes ${start}-${BYTES.length - 1}/${BYTES.length}` } : {}),
    });
    if (answer !== 'half') return void response.end(body);
    // A server that dies in the middle.
    response.write(body.subarray(0, Math.floor(body.length / 2)), () => request.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/rootfs.squashfs`;
});
afterAll(() => server.close());
beforeEach(() => {
  ranges = [];
});

function run(size = BYTES.length, digest = DIGEST) {
  return ash(LIBRARIES, SCRIPT, [url, String(size), digest]);
}

describe('fetch_verified', () => {
  test('in one go', async () => {
    plan = ['whole'];
    expect((await run()).stdout).toBe(`300000 of 300000\ntaken\n\n${DIGEST}\n`);
  });

  test('goes on where a broken download ended', async () => {
    plan = ['half', 'half', 'whole'];
    expect((await run()).stdout).toContain(`taken\n\n${DIGEST}\n`);
    expect(ranges).toHaveLength(3);
    expect(ranges[0]).toBeUndefined();
    expect(Number(ranges[1]?.match(/\d+/)?.[0])).toBeGreaterThan(0);
    expect(Number(ranges[2]?.match(/\d+/)?.[0])).toBeGreaterThan(Number(ranges[1]?.match(/\d+/)?.[0]));
  });

  test('waits for a server that starts again', async () => {
    plan = ['half', 'trouble', 'trouble', 'trouble', 'whole'];
    expect((await run()).stdout).toContain(`taken\n\n${DIGEST}\n`);
  });

  test('a server without ranges sends it all again', async () => {
    plan = ['half', 'ignore-range'];
    expect((await run()).stdout).toContain(`taken\n\n${DIGEST}\n`);
  });

  test('spoilt once: thrown away and fetched again', async () => {
    plan = ['spoilt', 'whole'];
    expect((await run()).stdout).toContain('taken');
    expect(ranges).toEqual([undefined, undefined]);
  });

  test('wrong twice: refused with both digests', async () => {
    plan = [];
    const wrong = 'f'.repeat(64);
    const { stdout } = await run(BYTES.length, wrong);
    expect(stdout).not.toContain('taken');
    expect(stdout).toContain(`rootfs.squashfs: wrong sha256, expected ${wrong}, got ${DIGEST}\n`);
    expect(ranges).toHaveLength(2);
  });

  test('not there: three tries, then the server’s reason', async () => {
    plan = Array.from({ length: 30 }, () => 'missing');
    const { stdout } = await run();
    expect(stdout).toContain('rootfs.squashfs: HTTP/1.1 404 no such image\n');
    expect(ranges).toHaveLength(3);
  });

  test('a server that stays in trouble: given up in the end', async () => {
    plan = Array.from({ length: 30 }, () => 'trouble');
    const { stdout } = await run();
    expect(stdout).toContain('rootfs.squashfs: HTTP/1.1 503 starting\n');
    expect(ranges).toHaveLength(20);
  });

  test('a file longer than the server said is no image of ours', async () => {
    plan = [];
    const { stdout } = await run(1000);
    expect(stdout).not.toContain('taken');
  });
});
