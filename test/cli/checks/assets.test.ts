import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { assetChecks } from '../../../server/cli/checks/assets.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(`${tmpdir()}/anybios-assets-`);
});
afterEach(() => rmSync(dir, { recursive: true }));

/** A build as build.sh leaves it, with tiny files. */
function build(folder: string, kernel: object): void {
  mkdirSync(folder, { recursive: true });
  const file = (path: string): object => {
    writeFileSync(`${folder}/${path}`, path);
    return { path, sha256: createHash('sha256').update(path).digest('hex'), size: path.length };
  };
  const files = { vmlinuz: file('vmlinuz'), initrd: file('initrd.img'), modules: file('modules.squashfs') };
  const manifest = {
    kernel: { version: '6.1', flavour: 'cloud', files, missingFirmware: [], ...kernel },
    micro: { files: { rootfs: file('micro.squashfs') } },
    base: { files: { rootfs: file('base.squashfs') } },
    bootloaders: { 'undionly.kpxe': file('undionly.kpxe') },
  };
  writeFileSync(`${folder}/manifest.json`, JSON.stringify(manifest));
}

test('a whole build', async () => {
  build(dir, {});
  const checks = await assetChecks(dir);
  expect(checks.map(({ name, state }) => `${name} ${state}`)).toEqual(['boot assets ok', 'firmware ok']);
  expect(checks[0]?.message).toBe('kernel 6.1, flavour cloud: 6 files, 73 B, sha256 of all right');
});

test.each<[string, (dir: string) => void, RegExp]>([
  ['never built', (dir) => rmSync(`${dir}/manifest.json`), /^not built: there is no .*manifest\.json$/],
  ['a file is gone', (dir) => rmSync(`${dir}/initrd.img`), /^initrd\.img is missing$/],
  ['a file is damaged', (dir) => writeFileSync(`${dir}/vmlinuz`, 'x'), /^vmlinuz is damaged/],
  [
    'the manifest is cut',
    (dir) => writeFileSync(`${dir}/manifest.json`, '{"kernel"'),
    /manifest\.json is not understood/,
  ],
  ['the manifest lacks a part', (dir) => writeFileSync(`${dir}/manifest.json`, '{}'), /is not understood: kernel$/],
])('%s: failed, with a remedy', async (_name, spoil, message) => {
  build(dir, {});
  spoil(dir);
  const [check] = await assetChecks(dir);
  expect(check).toMatchObject({
    name: 'boot assets',
    state: 'failed',
    remedy: expect.stringContaining('assets build'),
  });
  expect(check?.message).toMatch(message);
});

test('missing firmware of the hardware flavour is a warning that names it', async () => {
  build(dir, {});
  build(`${dir}/hardware`, { flavour: 'hardware', missingFirmware: ['a.bin', 'b.bin', 'c.bin', 'd.bin', 'e.bin'] });
  const check = (await assetChecks(dir)).at(-1);
  expect(check).toMatchObject({ name: 'firmware (hardware)', state: 'warning' });
  expect(check?.message).toContain('a.bin, b.bin, c.bin, d.bin and 1 more');
  expect(check?.items).toHaveLength(5);
});
