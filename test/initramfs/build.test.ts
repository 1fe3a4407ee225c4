import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { assetsDir, packageRoot } from '../../server/paths.js';
import { assetsSource } from './ash.js';

const run = promisify(execFile);
const MIB = 1024 * 1024;

const file = z.strictObject({
  path: z.string(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  size: z.number().positive(),
});
const rootfs = z.strictObject({ version: z.string(), files: z.strictObject({ rootfs: file }) });
const manifestSchema = z.strictObject({
  version: z.string(),
  kernel: z.strictObject({
    version: z.string(),
    flavour: z.literal('cloud'),
    release: z.string(),
    files: z.strictObject({ vmlinuz: file, initrd: file, modules: file }),
    missingFirmware: z.array(z.string()),
  }),
  micro: rootfs,
  base: rootfs,
  live: rootfs,
  bootloaders: z.strictObject({
    'undionly.kpxe': file,
    'snponly.efi': file,
    'ipxe.efi': file,
    'shimx64.efi': file,
    'grubx64.efi': file,
  }),
});
type Manifest = z.infer<typeof manifestSchema>;

const readManifest = (folder: string): Manifest =>
  manifestSchema.parse(JSON.parse(readFileSync(`${folder}/manifest.json`, 'utf8')));

// `npm run setup` has built boot-assets/out; if not, or not from these recipes, that is the first build. The second one
// goes into another folder, from the same packages in the cache.
const second = mkdtempSync(`${tmpdir()}/anybios-build-`);
let manifest: Manifest;

beforeAll(async () => {
  await run(`${assetsSource}/build.sh`, []);
  manifest = readManifest(assetsDir);
}, 300_000);
afterAll(() => rmSync(second, { recursive: true, force: true }));

describe('boot assets', () => {
  test('the same inputs give the same bytes', async () => {
    await run(`${assetsSource}/build.sh`, ['--out', second, '--force'], {
      env: { ...process.env, TZ: 'Asia/Shanghai', LC_ALL: 'C.UTF-8' },
    });
    expect(readManifest(second)).toEqual(manifest);
  }, 300_000);

  test('a build with nothing to do ends at once', async () => {
    const { stderr } = await run(`${assetsSource}/build.sh`, []);
    expect(stderr).toContain('up to date');
  }, 30_000);

  test('the manifest tells the truth', async () => {
    const { kernel, micro, base, live, bootloaders } = manifest;
    const files = [
      ...Object.values(kernel.files),
      micro.files.rootfs,
      base.files.rootfs,
      live.files.rootfs,
      ...Object.values(bootloaders),
    ];
    for (const { path, sha256, size } of files) {
      expect(statSync(`${assetsDir}/${path}`).size, path).toBe(size);
      const { stdout } = await run('sha256sum', [`${assetsDir}/${path}`]);
      expect(stdout.slice(0, 64), path).toBe(sha256);
    }
  }, 30_000);

  const LIMITS: Readonly<Record<string, readonly [size: (of: Manifest) => number, limit: number]>> = {
    'the initrd': [(of) => of.kernel.files.initrd.size, 4 * MIB],
    'the live OS': [(of) => of.micro.files.rootfs.size, 8 * MIB],
    'the Debian live OS with its kernel': [
      ({ kernel, live }) =>
        live.files.rootfs.size + Object.values(kernel.files).reduce((sum, { size }) => sum + size, 0),
      130_000_000,
    ],
    'the template': [(of) => of.base.files.rootfs.size, 1.5 * MIB],
  };
  test.each(Object.entries(LIMITS))('%s stays small', (_name, [size, limit]) => {
    expect(size(manifest)).toBeLessThanOrEqual(limit);
  });

  test('the sizes in docs/booting.md are those of the build, to a tenth', () => {
    const docs = readFileSync(`${packageRoot}/docs/booting.md`, 'utf8');
    const { kernel, micro, base, live } = manifest;
    const rows: readonly (readonly [string, number])[] = [
      ['| `vmlinuz` |', kernel.files.vmlinuz.size],
      ['| initrd (stage 1) |', kernel.files.initrd.size],
      ['| modules |', kernel.files.modules.size],
      ['| `live` live OS |', live.files.rootfs.size],
      ['| `micro` live OS |', micro.files.rootfs.size],
      ['| `base` template |', base.files.rootfs.size],
    ];
    for (const [start, size] of rows) {
      const line = docs.split('\n').find((text) => text.startsWith(start)) ?? '';
      const said = Number(/^ ([\d.]+) MB \|/.exec(line.slice(start.length))?.[1]) * 1e6;
      expect(Math.abs(said - size) / size, `${start} ${line}`).toBeLessThan(0.1);
    }
  });

  test('an unknown option is refused with what is allowed', async () => {
    await expect(run(`${assetsSource}/build.sh`, ['--flavor', 'cloud'])).rejects.toThrow(
      /unknown option --flavor: build\.sh \[--flavour cloud\|hardware\]/,
    );
  });

  test('a program that everybody looks for is in the template', async () => {
    const { stdout } = await run('unsquashfs', ['-l', '-d', '', `${assetsDir}/${manifest.base.files.rootfs.path}`]);
    const names = stdout.split('\n');
    for (const name of [
      '/bin/sh',
      '/bin/httpd',
      '/usr/sbin/httpd',
      '/sbin/udhcpc',
      '/etc/passwd',
      '/usr/share/udhcpc/default.script',
    ]) {
      expect(names).toContain(name);
    }
  }, 30_000);

  test('the signatures of the modules are there', async () => {
    const { stdout } = await run(
      'unsquashfs',
      [
        '-cat',
        `${assetsDir}/${manifest.kernel.files.modules.path}`,
        `${manifest.kernel.release}/kernel/fs/overlayfs/overlay.ko`,
      ],
      { encoding: 'latin1', maxBuffer: 8 * MIB },
    );
    expect(stdout.endsWith('~Module signature appended~\n')).toBe(true);
  }, 30_000);
});
