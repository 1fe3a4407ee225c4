import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Image } from '../../server/domain/image.js';
import { registerShippedImages, shippedLoaders } from '../../server/images/shipped.js';
import { createImageStore, type ImageStore } from '../../server/images/store.js';

let dir: string;
let assetsDir: string;
let imageStore: ImageStore;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'fi-shipped-'));
  assetsDir = join(dir, 'out');
  await mkdir(assetsDir);
  imageStore = await createImageStore(join(dir, 'images'));
});
afterEach(() => rm(dir, { recursive: true }));

async function asset(path: string, content: string): Promise<{ path: string; sha256: string; size: number }> {
  await writeFile(join(assetsDir, path), content);
  return { path, sha256: createHash('sha256').update(content).digest('hex'), size: Buffer.byteLength(content) };
}

/** Builds assets of which `micro` holds `content`. */
async function build(content = 'micro 1', version = '1'): Promise<void> {
  const manifest = {
    kernel: {
      version: '6.1.0',
      flavour: 'cloud',
      files: {
        vmlinuz: await asset('vmlinuz', 'linux'),
        initrd: await asset('initrd', 'stage 1'),
        modules: await asset('modules', 'drivers'),
      },
    },
    micro: { version, files: { rootfs: await asset('micro', content) } },
    base: { version: '1', files: { rootfs: await asset('base', 'base 1') } },
    bootloaders: { 'Undionly.kpxe': await asset('undionly.kpxe', 'loader') },
  };
  await writeFile(join(assetsDir, 'manifest.json'), JSON.stringify(manifest));
}

const register = (known: Iterable<Image>): Promise<Image[]> =>
  registerShippedImages({ assetsDir, imageStore, known, now: () => 1000 });

test('a first start registers all of them, the next one nothing', async () => {
  await build();
  const first = await register([]);
  expect(first.map(({ name, version, kind, tags, createdAt }) => [name, version, kind, tags, createdAt])).toEqual([
    ['kernel', '6.1.0', 'kernel', ['stable'], 1000],
    ['micro', '1', 'rootfs', ['stable'], 1000],
    ['base', '1', 'rootfs', ['stable'], 1000],
  ]);
  expect(first[0]?.files.map(({ part }) => part)).toEqual(['vmlinuz', 'initrd', 'modules']);
  for (const { files } of first) for (const { digest } of files) expect(await imageStore.verify(digest)).toBe('ok');
  expect(await register(first)).toEqual([]);
});

test('a new version is answered alone, and the old one keeps its file', async () => {
  await build();
  const first = await register([]);
  await build('micro 2', '2');
  const second = await register(first);
  expect(second.map(({ name, version }) => `${name}:${version}`)).toEqual(['micro:2']);
  const old = first.find(({ name }) => name === 'micro')?.files[0];
  expect(old === undefined ? undefined : await imageStore.verify(old.digest)).toBe('ok');
});

test('another build under the same version word gets a version of its own, once', async () => {
  await build();
  const first = await register([]);
  await build('micro 1, built again');
  const second = await register(first);
  expect(second.map(({ version }) => version)).toEqual([expect.stringMatching(/^1-[0-9a-f]{8}$/)]);
  expect(await register([...first, ...second])).toEqual([]);
});

test('tags that the operator moved are left alone', async () => {
  await build();
  const first = await register([]);
  expect(await register(first.map((image) => ({ ...image, tags: [] })))).toEqual([]);
});

test('a file lost from the store is brought back', async () => {
  await build();
  const first = await register([]);
  const file = first[1]?.files[0];
  if (file === undefined) throw new Error('micro has no file');
  await imageStore.remove(file.digest);
  expect(await register(first)).toEqual([]);
  expect(await imageStore.verify(file.digest)).toBe('ok');
});

test('loaders are found without case', async () => {
  await build();
  expect([...(await shippedLoaders(assetsDir))]).toEqual([
    ['undionly.kpxe', { path: join(assetsDir, 'undionly.kpxe'), size: 6 }],
  ]);
});

const remedy = 'run: npx anybios assets build';
const damage: Record<string, [change: () => Promise<void>, message: string]> = {
  'assets not built': [() => rm(join(assetsDir, 'manifest.json')), 'the boot assets are not built'],
  'a manifest cut short': [() => writeFile(join(assetsDir, 'manifest.json'), '{"kernel":'), 'is not JSON'],
  'a manifest of another form': [
    () => writeFile(join(assetsDir, 'manifest.json'), '{"kernel": {"version": "1"}}'),
    'manifest.json: kernel.files: ',
  ],
  'a file missing': [() => rm(join(assetsDir, 'micro')), 'boot asset micro: no such file'],
  'a file of another size': [
    () => writeFile(join(assetsDir, 'micro'), 'short'),
    'boot asset micro has 5 bytes, its manifest says 7',
  ],
  'other bytes': [() => writeFile(join(assetsDir, 'micro'), 'micro X'), 'is not the file that its manifest describes'],
};
test.each(Object.entries(damage))('%s: a clear error with the remedy', async (_, [change, message]) => {
  await build();
  await change();
  await expect(register([])).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining(message),
    remedy,
  });
});
