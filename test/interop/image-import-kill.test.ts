import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { packageRoot } from '../../server/paths.js';
import { DhcpWire } from '../support/dhcp-namespace.js';
import { startRealServer } from '../support/real-server.js';

// kill -9 of either side in the middle of an import: nothing half is left, and the next import is whole.

let wire: DhcpWire;
let folder: string;
const content = randomBytes(24_000_000);
const digest = createHash('sha256').update(content).digest('hex');
beforeEach(() => {
  wire = new DhcpWire('imgkill', '10.77.0.1/24');
  folder = mkdtempSync(join(tmpdir(), 'img-kill-'));
  writeFileSync(join(folder, 'whole'), content);
});
afterEach(() => {
  wire.remove();
  rmSync(folder, { recursive: true });
});

const cli = (words: string): string[] => [
  ...['ip', 'netns', 'exec', wire.server, 'node', `${packageRoot}/dist/cli/anybios.js`],
  ...words.split(' '),
  ...['--config', join(folder, 'anybios.yaml')],
];
const incoming = (): string[] => readdirSync(join(folder, 'data/images/incoming'));
const isStored = (): boolean => readdirSync(join(folder, 'data/images/sha256')).includes(digest);
const run = async (words: string) => await wire.run(wire.server, cli(words).slice(4));

/** An import that has sent half of its file and waits. */
async function halfSent(): Promise<ChildProcess> {
  const [command = '', ...args] = cli('image import half:1 --rootfs -');
  const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'ignore'] });
  child.stdin?.on('error', () => undefined);
  child.stdin?.write(content.subarray(0, content.length / 2));
  await expect
    .poll(() => incoming().reduce((sum, name) => sum + statSync(join(folder, 'data/images/incoming', name)).size, 0), {
      timeout: 30_000,
    })
    .toBeGreaterThan(content.length / 4);
  return child;
}

async function importsWhole(): Promise<void> {
  expect(await run(`image import half:1 --rootfs ${join(folder, 'whole')}`)).toMatchObject({ code: 0 });
  expect(readFileSync(join(folder, 'data/images/sha256', digest)).equals(content)).toBe(true);
  expect(incoming()).toEqual([]);
  expect((await run('image verify half:1')).code).toBe(0);
}

test('the command is killed', async () => {
  const server = await startRealServer(wire, folder);
  const child = await halfSent();
  child.kill('SIGKILL');
  await expect.poll(incoming, { timeout: 30_000 }).toEqual([]);
  expect(isStored()).toBe(false);
  expect((await run('image show half:1')).text).toContain('there is no image half:1');
  await importsWhole();
  await server.end('SIGTERM');
}, 120_000);

test('the server is killed: the next start is clean', async () => {
  const server = await startRealServer(wire, folder);
  const child = await halfSent();
  const gone = once(child, 'exit');
  await server.end('SIGKILL');
  const [code] = await gone;
  expect(code).not.toBe(0);
  expect(isStored()).toBe(false);
  const next = await startRealServer(wire, folder);
  expect(incoming()).toEqual([]);
  expect((await run('image show half:1')).text).toContain('there is no image half:1');
  await importsWhole();
  await next.end('SIGTERM');
}, 120_000);
