import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FrontRig, frontRig, sha256 } from '../support/front-rig.js';
import { seededBytes } from '../support/tftp-random.js';

// curl and busybox wget against the front on loopback.

const run = promisify(execFile);
const bytes = seededBytes(9, 20_000_003);

let rig: FrontRig;
let url: string;
let dir: string;

beforeAll(async () => {
  rig = await frontRig();
  url = `${rig.url}${await rig.put(bytes)}`;
  dir = await mkdtemp(join(tmpdir(), 'fi-http-'));
});
afterAll(async () => {
  await rig.close();
  await rm(dir, { recursive: true });
});

const same = async (path: string): Promise<boolean> => sha256(await readFile(path)) === sha256(bytes);

describe('curl', () => {
  test('goes on where a download stopped', async () => {
    const path = join(dir, 'resumed');
    await writeFile(path, bytes.subarray(0, 7_654_321));
    await run('curl', ['-sS', '-f', '-C', '-', '-o', path, url]);
    expect(await same(path)).toBe(true);
  });

  test('finds a download complete', async () => {
    const path = join(dir, 'complete');
    await writeFile(path, bytes);
    const { stdout } = await run('curl', ['-sS', '-C', '-', '-o', path, '-w', '%{http_code}', url]);
    expect(stdout).toBe('416');
    expect((await stat(path)).size).toBe(bytes.length);
  });

  test('is cut off again and again, and gets there', async () => {
    const path = join(dir, 'cut');
    const size = async (): Promise<number> => (await stat(path).catch(() => undefined))?.size ?? 0;
    let rounds = 0;
    while ((await size()) < bytes.length) {
      rounds += 1;
      const running = run('curl', ['-sS', '--limit-rate', '40M', '-C', '-', '-o', path, url]).catch(() => undefined);
      const before = await size();
      if (rounds < 4) {
        await expect.poll(size, { interval: 5, timeout: 10_000 }).toBeGreaterThan(before);
        const pid = rig.front.childPid;
        if (pid !== undefined) process.kill(pid, 'SIGKILL');
      }
      await running;
    }
    expect(rounds).toBeGreaterThan(1);
    expect(await same(path)).toBe(true);
  });

  test('several images and scripts in one go, following redirects', async () => {
    const names = ['a', 'b', 'c', 'd'].map((name) => join(dir, name));
    const urls = [`${url}/vmlinuz`, `${rig.url}/other/script`, `${url}/initrd`, `${rig.url}/other/other`];
    await run('curl', ['-sS', '-f', '-L', ...urls.flatMap((one, index) => ['-o', names[index] ?? '', one])]);
    expect(await same(names[0] ?? '')).toBe(true);
    expect(await readFile(names[1] ?? '', 'utf8')).toBe('main: GET /other/script');
    expect(await same(names[2] ?? '')).toBe(true);
    expect(await readFile(names[3] ?? '', 'utf8')).toBe('main: GET /other/other');
  });

  test('two images on one connection', async () => {
    const format = '%{num_connects} ';
    const { stdout } = await run('curl', ['-sS', '-w', format, '-o', '/dev/null', url, '-o', '/dev/null', `${url}/b`]);
    expect(stdout).toBe('1 0 ');
  });

  test('HTTP/1.0', async () => {
    const path = join(dir, 'old');
    await run('curl', ['-sS', '-f', '-0', '-o', path, url]);
    expect(await same(path)).toBe(true);
  });

  test('the size by HEAD', async () => {
    const { stdout } = await run('curl', ['-sS', '-I', url]);
    expect(stdout).toContain(`Content-Length: ${bytes.length}\r\n`);
  });
});

describe('busybox wget, which stage 1 uses', () => {
  test('fetches', async () => {
    const path = join(dir, 'wget');
    await run('busybox', ['wget', '-q', '-O', path, url]);
    expect(await same(path)).toBe(true);
  });

  test('goes on where it stopped', async () => {
    const path = join(dir, 'wget-resumed');
    await writeFile(path, bytes.subarray(0, 1_234_567));
    await run('busybox', ['wget', '-q', '-c', '-O', path, url]);
    expect(await same(path)).toBe(true);
  });

  test('prints the reason of a refusal', async () => {
    const missing = `${rig.url}/images/sha256/${'0'.repeat(64)}`;
    await expect(run('busybox', ['wget', '-O', '/dev/null', missing])).rejects.toThrow(
      'no file with this sha256 is here',
    );
  });
});
