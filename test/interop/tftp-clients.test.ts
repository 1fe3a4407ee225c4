import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { seededBytes } from '../support/tftp-random.js';
import { type TftpRig, TRANSPORTS, tftpRig } from '../support/tftp-rig.js';

// Clients that others wrote, against our server on loopback. Each of them must be installed: a missing one fails.

const run = promisify(execFile);

interface NpmTftpClient {
  get(remote: string, local: string, done: (error: Error | null) => void): void;
}
const npmTftp: { createClient(options: object): NpmTftpClient } = createRequire(import.meta.url)('tftp');

type Fetch = (port: number, name: string, local: string) => Promise<unknown>;

const HOST = '127.0.0.1';
const hpa =
  (mode: string): Fetch =>
  (port, name, local) =>
    run('tftp', ['-m', mode, HOST, String(port), '-c', 'get', name, local]);
const atftp =
  (...options: string[]): Fetch =>
  (port, name, local) =>
    run('atftp', [
      ...options.flatMap((option) => ['--option', option]),
      ...['-g', '-r', name, '-l', local, HOST, String(port)],
    ]);
const busybox =
  (blockSize: number): Fetch =>
  (port, name, local) =>
    run('busybox', ['tftp', '-g', '-b', String(blockSize), '-r', name, '-l', local, HOST, String(port)]);
const curl =
  (...options: string[]): Fetch =>
  (port, name, local) =>
    run('curl', ['-sS', ...options, '-o', local, `tftp://${HOST}:${port}/${name}`]);
const npm =
  (blockSize: number, windowSize: number): Fetch =>
  (port, name, local) =>
    promisify((done: (error: Error | null) => void) =>
      npmTftp.createClient({ host: HOST, port, blockSize, windowSize }).get(name, local, done),
    )();

const sizes = [8, 512, 1428, 1468, 8192, 65_464];
const clients: Record<string, Fetch> = {
  'tftp-hpa, octet': hpa('octet'),
  'atftp without options': atftp(),
  'atftp, size asked': atftp('tsize', 'blksize 1432'),
  'curl without options': curl('--tftp-no-options'),
  ...Object.fromEntries(sizes.map((size) => [`atftp, blocks of ${size}`, atftp(`blksize ${size}`)])),
  ...Object.fromEntries(
    [2, 16, 64].map((size) => [`atftp, windows of ${size}`, atftp('blksize 1428', `windowsize ${size}`)]),
  ),
  // busybox builds its request in a buffer of one block.
  ...Object.fromEntries([64, ...sizes.slice(1)].map((size) => [`busybox, blocks of ${size}`, busybox(size)])),
  ...Object.fromEntries(sizes.map((size) => [`curl, blocks of ${size}`, curl('--tftp-blksize', String(size))])),
  ...Object.fromEntries(sizes.map((size) => [`npm tftp, blocks of ${size}`, npm(size, 1)])),
  'npm tftp, windows of 4': npm(1468, 4),
};

describe.each(TRANSPORTS)('%s', (transport) => {
  let rig: TftpRig;
  let dir: string;
  let local: string;
  let count = 0;

  beforeAll(async () => {
    rig = await tftpRig({ transport });
    dir = await mkdtemp(join(tmpdir(), 'fi-interop-'));
  });
  afterAll(async () => {
    await rig.close();
    await rm(dir, { recursive: true });
  });
  beforeEach(() => {
    count += 1;
    local = join(dir, String(count));
  });

  describe('every byte comes through', () => {
    test.each(Object.entries(clients))('%s', async (name, fetch) => {
      // An odd length, one that ends with a whole block, nothing.
      for (const size of [300_001, 8 * 512 * 1428, 0]) {
        const bytes = seededBytes(size, /blocks of (8|64)$/.test(name) && size > 300_001 ? 40_000 : size);
        await rig.put('file.bin', bytes);
        await fetch(rig.server.port, 'file.bin', local);
        expect((await readFile(local)).equals(bytes), `${size} bytes`).toBe(true);
        await rm(local);
      }
    });
  });

  describe('more than 65,535 blocks', () => {
    const many: Record<string, Fetch> = {
      atftp: atftp('blksize 8'),
      busybox: busybox(64),
      curl: curl('--tftp-blksize', '8'),
      'npm tftp': npm(8, 4),
    };
    test.each(Object.entries(many))('%s', async (client, fetch) => {
      const bytes = seededBytes(1, 65_540 * (client === 'busybox' ? 64 : 8) + 3);
      await rig.put('many.bin', bytes);
      await fetch(rig.server.port, 'many.bin', local);
      expect((await readFile(local)).equals(bytes)).toBe(true);
    });
  });

  describe('files of the size of a kernel with its initrd: the numbers of the blocks go round', () => {
    const large: Record<string, [fetch: Fetch, bytes: number]> = {
      'tftp-hpa, 33.6 MB in blocks of 512': [hpa('octet'), 33_600_001],
      'busybox, 33.6 MB in blocks of 512': [busybox(512), 33_600_001],
      'curl, 93.7 MB in blocks of 1428': [curl('--tftp-blksize', '1428'), 93_700_001],
      'atftp, 93.7 MB in blocks of 1428, windows of 16': [atftp('blksize 1428', 'windowsize 16'), 93_700_001],
    };
    test.each(Object.entries(large))(
      '%s',
      async (_, [fetch, size]) => {
        const bytes = seededBytes(3, size);
        await rig.put('large.bin', bytes);
        await fetch(rig.server.port, 'large.bin', local);
        expect((await readFile(local)).equals(bytes)).toBe(true);
        await rm(local);
      },
      120_000,
    );
  });

  test('tftp-hpa in its default mode, netascii: the text arrives as it is', async () => {
    const text = 'one\ntwo\r\nthree\rfour\n';
    await rig.put('lines.txt', text);
    await hpa('netascii')(rig.server.port, 'lines.txt', local);
    expect(await readFile(local, 'utf8')).toBe(text);
  });

  test('twenty atftp at once', async () => {
    const bytes = seededBytes(2, 500_000);
    await rig.put('f', bytes);
    await Promise.all(
      Array.from({ length: 20 }, (_, index) => atftp('blksize 1428')(rig.server.port, 'f', `${local}-${index}`)),
    );
    for (let index = 0; index < 20; index++) expect((await readFile(`${local}-${index}`)).equals(bytes)).toBe(true);
  });

  describe('a file that is not there: the client says why and does not ask again', () => {
    const asked: Record<string, [fetch: Fetch, words: string]> = {
      atftp: [atftp(), 'no such file'],
      busybox: [busybox(512), '(1) no such file'],
      'busybox with a larger block': [busybox(1428), '(1) no such file'],
      // 68 is curl's "file not found on the TFTP server".
      curl: [curl(), 'curl: (68)'],
      'npm tftp': [npm(512, 1), '(Server) no such file'],
    };
    test.each(Object.entries(asked))('%s', async (_, [fetch, words]) => {
      const before = rig.asked.length;
      await expect(fetch(rig.server.port, 'gone', local)).rejects.toThrow(words);
      expect(rig.asked.slice(before)).toEqual(['gone']);
    });
  });

  test('an upload is refused with its reason', async () => {
    await rig.put('source', 'x');
    await expect(
      run('atftp', ['-p', '-l', join(rig.folder, 'source'), '-r', 'target', HOST, String(rig.server.port)]),
    ).rejects.toThrow('this server is read-only');
  });
});
