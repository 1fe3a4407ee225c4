import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BootAnswer } from '../../server/boot/contract.js';
import { type FrontRig, frontRig, rawConnection } from '../support/front-rig.js';
import { seededBytes } from '../support/tftp-random.js';

// Scripts that follow each other on one connection (images/first-requests.ts).

let rig: FrontRig;
let asked = 0;
let path: string;
const bytes = seededBytes(7, 200_001);
const BLOCK = 'x'.repeat(100_000);

beforeAll(async () => {
  rig = await frontRig({ answerBoot: script });
  path = await rig.put(bytes);
});
afterAll(() => rig.close());

/** `later` in a name waits for the disk, `large` has 100 kB, `bug` throws, `umlaut` is not ASCII. */
function script(name: string): BootAnswer | Promise<BootAnswer> {
  asked += 1;
  if (name.includes('bug')) throw new Error('a bug');
  const text = `<${name}>${name.includes('large') ? BLOCK : ''}${name.includes('umlaut') ? 'ä€' : ''}`;
  const answer: BootAnswer = { kind: 'text', text, contentType: 'text/plain' };
  return name.includes('later') ? new Promise((resolve) => setImmediate(() => resolve(answer))) : answer;
}

const get = (target: string, more = ''): string => `GET ${target} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
const namesIn = (text: string): (string | undefined)[] =>
  [...text.matchAll(/<\/boot\/ipxe\/([^>]+)>/g)].map(([, n]) => n);

describe('scripts that are asked for at once', () => {
  test('are answered in their order, those that wait for the disk too, and the image behind them last', async () => {
    const names = Array.from(
      { length: 200 },
      (_, n) => `${n}-${n % 3 === 0 ? 'later' : n % 7 === 0 ? 'large' : 'now'}`,
    );
    const { socket, answer } = rawConnection(rig.front.port);
    const image = get(path, 'Range: bytes=100-199999\r\nConnection: close\r\n');
    socket.write(names.map((name) => get(`/boot/ipxe/${name}`)).join('') + image);
    const got = await answer;
    expect(namesIn(got.toString('latin1'))).toEqual(names);
    expect(got.subarray(-199_900).equals(bytes.subarray(100, 200_000))).toBe(true);
  });

  test('have their length in bytes', async () => {
    const { socket, answer } = rawConnection(rig.front.port);
    socket.write(get('/boot/ipxe/umlaut') + get('/boot/ipxe/next', 'Connection: close\r\n'));
    const text = (await answer).toString();
    expect(text).toContain('Content-Length: 24\r\n');
    expect(text).toContain('</boot/ipxe/umlaut>ä€HTTP/1.1 200 OK');
  });

  test('are not made for a client that takes nothing', async () => {
    asked = 0;
    const { socket, answer } = rawConnection(rig.front.port);
    await once(socket, 'connect');
    socket.pause();
    const last = get('/boot/ipxe/large-last', 'Connection: close\r\n');
    socket.write(get('/boot/ipxe/large').repeat(500) + last);
    // Others are served meanwhile; 50 MB do not fit into what the kernel keeps.
    for (let round = 0; round < 100; round++) await (await fetch(`${rig.url}/boot/ipxe/other`)).text();
    expect(asked).toBeLessThan(100 + 500);
    socket.resume();
    expect(namesIn((await answer).toString('latin1'))).toHaveLength(501);
  });
});

test.each(['now', 'later'])(
  'a client that closes its direction behind the request gets its answer (%s)',
  async (name) => {
    const { socket, answer } = rawConnection(rig.front.port);
    socket.end(get(`/boot/ipxe/${name}`));
    expect(namesIn((await answer).toString())).toEqual([name]);
  },
);

test('a script that cannot be made ends the connection and is logged', async () => {
  const { socket, answer } = rawConnection(rig.front.port);
  socket.write(get('/boot/ipxe/first') + get('/boot/ipxe/bug'));
  expect(namesIn((await answer).toString())).toEqual(['first']);
  expect(rig.log.join('\n')).toContain('a boot script could not be sent');
});
