import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CliResult, runCli } from '../cli/support/run-cli.js';
import { adminToken, startApi, type TestApi } from '../support/api.js';
import { startRegistry } from '../support/registry.js';

// Root file systems from everything that `image import --from` takes, made by the real programs of Debian.

const dir = mkdtempSync(join(tmpdir(), 'im-sources-'));
const layout = join(dir, 'layout');
const folder = join(dir, 'rootfs');
let api: TestApi;
let registry: Awaited<ReturnType<typeof startRegistry>>;

const run = (program: string, ...args: string[]): string => execFileSync(program, args, { encoding: 'utf8', cwd: dir });

beforeAll(async () => {
  makeFolder();
  makeLayout();
  registry = await startRegistry(join(dir, 'registry'));
  run(
    'skopeo',
    '--insecure-policy',
    'copy',
    '-q',
    '--dest-tls-verify=false',
    `oci:${layout}:v1`,
    `docker://${registry.host}/site/web:v1`,
  );
  run('skopeo', '--insecure-policy', 'copy', '-q', `oci:${layout}:v1`, `docker-archive:${dir}/docker.tar:site/web:v1`);
  api = await startApi({ imagesDir: join(dir, 'images') });
});
afterAll(async () => {
  await api?.close();
  await registry?.close();
  rmSync(dir, { recursive: true, force: true });
});

/** A program that runs as root, one with a capability, a device, a link, a file in two places. */
function makeFolder(): void {
  for (const path of ['bin', 'dev', 'etc', 'var/empty']) mkdirSync(join(folder, path), { recursive: true });
  writeFileSync(join(folder, 'bin/su'), 'a program\n');
  chmodSync(join(folder, 'bin/su'), 0o4755);
  writeFileSync(join(folder, 'bin/ping'), 'another\n', { mode: 0o755 });
  run('setcap', 'cap_net_raw+ep', join(folder, 'bin/ping'));
  run('mknod', join(folder, 'dev/sda'), 'b', '8', '0');
  writeFileSync(join(folder, 'etc/motd'), 'hello\n');
  symlinkSync('/etc/motd', join(folder, 'etc/link'));
  const old = new Date('2024-02-03T04:05:06Z');
  for (const path of ['bin/su', 'bin/ping', 'etc/motd', 'bin', 'dev', 'etc', 'var/empty', 'var', '.']) {
    utimesSync(join(folder, path), old, old);
  }
}

/** Two layers: the second one deletes a file of the first. */
function makeLayout(): void {
  const bundle = join(dir, 'bundle');
  run('umoci', 'init', '--layout', layout);
  run('umoci', 'new', '--image', `${layout}:v1`);
  run('umoci', 'unpack', '--image', `${layout}:v1`, bundle);
  run('sh', '-c', `cp -a ${folder}/. ${bundle}/rootfs/ && echo secret >${bundle}/rootfs/etc/deleted`);
  run('umoci', 'repack', '--image', `${layout}:v1`, '--refresh-bundle', bundle);
  rmSync(join(bundle, 'rootfs/etc/deleted'));
  writeFileSync(join(bundle, 'rootfs/etc/second'), 'second layer\n');
  run('umoci', 'repack', '--image', `${layout}:v1`, bundle);
}

interface Imported {
  readonly version: string;
  readonly source: string;
  readonly files: readonly { readonly digest: string }[];
  readonly contents: {
    readonly setuid: readonly string[];
    readonly capabilities: readonly string[];
    readonly droppedDevices: readonly string[];
    readonly devices: readonly string[];
  };
}

const anybios = (args: readonly string[], stdin?: Buffer): Promise<CliResult> =>
  runCli(args, {
    cwd: dir,
    env: { ANYBIOS_URL: api.url, ANYBIOS_TOKEN: adminToken, HOME: dir },
    ...(stdin === undefined ? {} : { stdin }),
  });

async function imported(args: readonly string[], stdin?: Buffer): Promise<Imported> {
  const { code, stdout, stderr } = await anybios(['image', 'import', '--json', ...args], stdin);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return JSON.parse(stdout) as Imported;
}

/** `MODE PATH` of everything in the squashfs that was stored. */
function listing({ files }: Imported): string[] {
  const path = join(dir, 'images/sha256', files[0]?.digest ?? '');
  return run('unsquashfs', '-lln', '-d', '', path)
    .split('\n')
    .filter((line) => /^[-dlbcps]/.test(line))
    .map((line) => line.replace(/^(\S+).* (\S+)$/, '$1 $2'));
}

function capabilitiesOf({ files }: Imported): string {
  const to = join(dir, 'unpacked');
  rmSync(to, { recursive: true, force: true });
  run('unsquashfs', '-q', '-n', '-d', to, join(dir, 'images/sha256', files[0]?.digest ?? ''));
  return run('getcap', '-r', to).replaceAll(`${to}/`, '').trim();
}

describe('a container image', () => {
  test('from a registry: files deleted in a later layer are gone, setuid and capabilities are kept and told', async () => {
    const made = await imported(['web:registry', '--from', `docker://${registry.host}/site/web:v1`]);
    expect(made.source).toMatch(/^docker:\/\/127\.0\.0\.1:\d+\/site\/web:v1 \(sha256:[0-9a-f]{64}\)$/);
    expect(made.contents).toMatchObject({
      setuid: ['/bin/su'],
      capabilities: ['bin/ping'],
      droppedDevices: ['dev/sda'],
      devices: [],
    });
    const files = listing(made);
    expect(files).toEqual(
      expect.arrayContaining(['-rwsr-xr-x /bin/su', '-rw-r--r-- /etc/second', '-rw-r--r-- /etc/motd']),
    );
    expect(files.filter((line) => /deleted|\.wh\.|sda/.test(line))).toEqual([]);
    expect(capabilitiesOf(made)).toBe('bin/ping cap_net_raw=ep');
  });

  test('the same bytes from the OCI layout, its folder and the docker archive: nothing of the way is in the file', async () => {
    const digests = new Set<string | undefined>();
    for (const from of [
      `docker://${registry.host}/site/web:v1`,
      `oci:${layout}:v1`,
      layout,
      `docker-archive:${dir}/docker.tar`,
      `${dir}/docker.tar`,
    ]) {
      digests.add((await imported(['same', '--from', from])).files[0]?.digest);
    }
    expect([...digests]).toHaveLength(1);
  });

  test('a tag that is not there is told in one line', async () => {
    const { code, stderr } = await anybios([
      'image',
      'import',
      'web',
      '--from',
      `docker://${registry.host}/site/web:none`,
    ]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/error: skopeo failed: .*manifest unknown/);
  });

  test('a limit holds before anything is unpacked', async () => {
    const { code, stderr } = await anybios([
      'image',
      'import',
      'web',
      '--from',
      `oci:${layout}:v1`,
      '--max-size',
      '20',
    ]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('holds more than 20 bytes')]);
  });
});

describe('a folder', () => {
  test('twice the same bytes; devices only when asked for', async () => {
    const one = await imported(['folder', '--from', folder]);
    expect(one.contents).toMatchObject({
      setuid: ['/bin/su'],
      capabilities: ['bin/ping'],
      droppedDevices: ['dev/sda'],
    });
    expect((await imported(['folder', '--from', `${folder}/.`])).version).toBe(one.version);
    const kept = await imported(['folder', '--from', folder, '--keep-devices']);
    expect(kept.contents).toMatchObject({ droppedDevices: [], devices: ['/dev/sda'] });
    expect(kept.version).not.toBe(one.version);
  });
});

describe('a tar archive', () => {
  test.each([
    ['plain', 'cat'],
    ['gzip', 'gzip -c'],
    ['xz', 'xz -c'],
    ['zstd', 'zstd -qc'],
  ])('%s, from a file and from a pipe', async (name, compress) => {
    const path = join(dir, `${name}.archive`);
    run('sh', '-c', `tar -C ${folder} --sort=name --xattrs --xattrs-include='*' -cf - . | ${compress} >${path}`);
    const made = await imported([name, '--from', path]);
    expect(made.contents).toMatchObject({
      setuid: ['/bin/su'],
      capabilities: ['bin/ping'],
      droppedDevices: ['dev/sda'],
    });
    expect(capabilitiesOf(made)).toBe('bin/ping cap_net_raw=ep');
    expect((await imported([name, '--from', '-'], readFileSync(path))).version).toBe(made.version);
  });

  test('a squashfs is taken as it is', async () => {
    const path = join(dir, 'ready.squashfs');
    run('mksquashfs', folder, path, '-quiet', '-no-progress');
    const made = await imported([
      'ready',
      '--from',
      path,
      '--sha256',
      createHash('sha256').update(readFileSync(path)).digest('hex'),
    ]);
    expect(made.contents.setuid).toEqual(['/bin/su']);
  });

  test('cut off in the middle: refused, and nothing is stored', async () => {
    const path = join(dir, 'cut.tar.gz');
    run('sh', '-c', `tar -C ${folder} -czf - . | head -c 200 >${path}`);
    const { code, stderr } = await anybios(['image', 'import', 'cut', '--from', path]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: .*(gzip failed|not a whole tar)/m);
  });
});

test('a program that is missing is named with the line that installs it', async () => {
  const { code, stderr } = await runCli(['image', 'import', 'x', '--from', folder], {
    cwd: dir,
    env: { ANYBIOS_URL: api.url, ANYBIOS_TOKEN: adminToken, HOME: dir, PATH: '/nonexistent' },
  });
  expect([code, stderr]).toEqual([1, expect.stringContaining('apt-get install squashfs-tools')]);
});
