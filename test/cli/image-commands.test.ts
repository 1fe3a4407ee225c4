import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseDigest } from '../../server/domain/digest.js';
import { adminToken, startApi, type TestApi } from '../support/api.js';
import { type CliResult, runCli } from './support/run-cli.js';

const dir = mkdtempSync(`${tmpdir()}/anybios-image-`);
/** Larger than every buffer on the way. */
const bytes = randomBytes(3 * 1024 * 1024 + 17);
const digest = createHash('sha256').update(bytes).digest('hex');
const file = `${dir}/web.squashfs`;
let api: TestApi;

beforeAll(async () => {
  writeFileSync(file, bytes);
  for (const name of ['vmlinuz', 'initrd', 'modules']) writeFileSync(`${dir}/${name}`, `${name}\n`);
  api = await startApi({ imagesDir: `${dir}/images` });
});
afterAll(async () => {
  await api.close();
  rmSync(dir, { recursive: true });
});

const anybios = (line: string, stdin?: Buffer): Promise<CliResult> =>
  runCli(line.split(' '), {
    env: { ANYBIOS_URL: api.url, ANYBIOS_TOKEN: adminToken },
    ...(stdin === undefined ? {} : { stdin }),
  });

test('a root file system: imported, known by its digest, stable because it is the first', async () => {
  expect(await anybios(`image import web:1 --rootfs ${file}`)).toEqual({
    code: 0,
    stdout: 'web:1 (stable) is imported\n',
    stderr: '',
  });
  expect(await api.deps.images.size(parseDigest(digest))).toBe(bytes.length);
});

test('the same bytes are not sent twice, and the version comes from them', async () => {
  expect(await anybios(`image import web --rootfs ${file}`)).toEqual({
    code: 0,
    stdout: `web:${digest.slice(0, 12)} is imported\n`,
    stderr: 'rootfs: the server has this file already\n',
  });
});

test('from a pipe', async () => {
  const other = randomBytes(200_000);
  const { code, stdout } = await anybios('image import web:2 --rootfs - --tag stable --json', other);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    version: '2',
    tags: ['stable'],
    files: [{ part: 'rootfs', digest: createHash('sha256').update(other).digest('hex'), size: other.length }],
  });
});

test('a kernel: three files, one version', async () => {
  const { code, stdout, stderr } = await anybios(
    `image import linux:6.1 --kernel ${dir}/vmlinuz --initrd ${dir}/initrd --modules ${dir}/modules`,
  );
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'linux:6.1 (stable) is imported\n', stderr: '' });
  expect((await anybios('image list --name linux')).stdout).toMatch(/^linux +6\.1 +kernel +stable +\d+ B +vmlinuz /m);
});

test('roll back by a tag, remove what is not used', async () => {
  expect((await anybios('image tag web:1 stable')).stdout).toBe('web:stable is version 1 now\n');
  expect((await anybios('image remove web:2')).stdout).toBe('web:2 is removed\n');
  expect(await anybios('image remove web:2')).toMatchObject({
    code: 1,
    stderr: 'error: there is no image web:2 — remedy: see: anybios image list\n',
  });
});

test('a version does not change its bytes', async () => {
  writeFileSync(`${dir}/other`, 'other bytes');
  const { code, stderr } = await anybios(`image import web:1 --rootfs ${dir}/other`);
  expect([code, stderr]).toEqual([1, 'error: web:1 exists with other files — remedy: choose another version\n']);
});

test.each([
  ['a file that is not there', '/nonexistent', 'cannot read /nonexistent: there is no such file (--rootfs)'],
  ['a folder', '/tmp', '/tmp is not a file (--rootfs)'],
])('%s', async (_name, path, words) => {
  const { code, stderr } = await anybios(`image import x --rootfs ${path}`);
  expect(code).toBe(2);
  expect(stderr).toContain(words);
});

test('a bad token is found out before anything is sent', async () => {
  const env = { ANYBIOS_URL: api.url, ANYBIOS_TOKEN: 'wrong' };
  expect(await runCli(['image', 'import', 'x', '--rootfs', file], { env })).toMatchObject({ code: 1, stdout: '' });
});
