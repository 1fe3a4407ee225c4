import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FrontRig, frontRig, sha256 } from '../support/front-rig.js';
import { exchange, headerFlood, hold, RANGES, SMUGGLING, slowReaders } from '../support/http-abuse.js';
import { seededBytes } from '../support/tftp-random.js';

// Hostile clients over real sockets. After each kind the others are served, the same process runs, and no descriptor is left.

let rig: FrontRig;
let image: string;
let child: number;
let quiet: number;
const bytes = seededBytes(5, 10_000_000);

const descriptors = async (): Promise<number> => (await readdir(`/proc/${child}/fd`)).length;

async function othersAreServed(): Promise<void> {
  // On connections of their own: one that is kept could be closed by the short limit just when it is used again.
  const get = (path: string): Promise<string> =>
    exchange(rig.front.port, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  const [script, other, file] = await Promise.all([get('/boot/ipxe/x'), get('/other'), get(image)]);
  expect(script).toContain('boot: /boot/ipxe/x');
  expect(other).toContain('main: GET /other');
  expect(sha256(Buffer.from(file.slice(file.indexOf('\r\n\r\n') + 4), 'latin1'))).toBe(sha256(bytes));
  expect(rig.front.childPid).toBe(child);
}

async function nothingIsLeft(): Promise<void> {
  await expect.poll(descriptors, { timeout: 30_000, interval: 50 }).toBeLessThanOrEqual(quiet);
}

beforeAll(async () => {
  rig = await frontRig({ headMilliseconds: 1000 });
  image = await rig.put(bytes);
  child = rig.front.childPid ?? 0;
  await othersAreServed();
  quiet = await descriptors();
});
afterAll(() => rig.close());

const firstLines = [
  '',
  'GET /boot/ipxe/x HTTP/1.1\r\nHost:',
  'GET /other HTTP/1.1\r\n',
  'POST /other HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n',
];

describe('connections that go no further', () => {
  test.each([...firstLines, 'image'])(
    'after %j',
    async (text) => {
      const begun = text === 'image' ? `GET ${image} HTTP/1.1\r\nX:` : text;
      const held = await hold(rig.front.port, 300, begun);
      await othersAreServed();
      for (const socket of held) socket.destroy();
      await nothingIsLeft();
    },
    60_000,
  );
});

test.each(['GET /boot/ipxe/x HTTP/1.1', 'GET /other HTTP/1.1', 'image', 'GET /'])(
  'a head that never ends: %s',
  async (line) => {
    const first = line === 'image' ? `GET ${image} HTTP/1.1` : line;
    const answers = await Promise.all(Array.from({ length: 10 }, () => headerFlood(rig.front.port, first)));
    for (const answer of answers) expect(answer).toMatch(/^$|^HTTP\/1.1 4\d\d /);
    await othersAreServed();
    await nothingIsLeft();
  },
  60_000,
);

test('a request line that never ends', async () => {
  expect(await exchange(rig.front.port, `GET /${'x'.repeat(100_000)}`)).toMatch(/^$|^HTTP\/1.1 4\d\d /);
  await othersAreServed();
});

test.each(Object.entries(RANGES))('Range: %s', async (range, statuses) => {
  const answer = await exchange(
    rig.front.port,
    `GET ${image} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nRange: ${range}\r\n\r\n`,
  );
  expect(statuses).toContain(Number(answer.slice(9, 12)));
});

describe.each(['/boot/ipxe/x', '/other', 'image'])('requests cut in two, to %s', (where) => {
  test.each(Object.entries(SMUGGLING))(
    '%s',
    async (_, make) => {
      rig.main.length = 0;
      // The main server answers a whole request at once; a connection that waits for more ends by the limit for heads.
      await exchange(rig.front.port, make(where === 'image' ? image : where));
      expect(rig.main.filter((line) => line.startsWith('GET /smuggled'))).toEqual([]);
    },
    30_000,
  );
});

test('readers that take nothing hold up nobody, and leave nothing behind', async () => {
  const slow = await slowReaders({ port: rig.front.port, image }, 100);
  await othersAreServed();
  for (const [index, socket] of slow.entries()) {
    if (index % 2 === 0) socket.destroy();
    else socket.resetAndDestroy();
  }
  await nothingIsLeft();
}, 60_000);
