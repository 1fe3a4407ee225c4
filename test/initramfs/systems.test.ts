import { pack } from 'tar-stream';
import { describe, expect, test } from 'vitest';
import { ash } from './ash.js';

describe('back-off', () => {
  const STEPS: Readonly<Record<string, readonly [script: string, out: string]>> = {
    'tries of stage 1': ['for n in 1 2 3 4 5 6 100; do backoff $n; done', '1 2 4 8 15 15 15'],
    'a system that fails at once': ['for n in 1 2 3 4 5 6 7 8; do restart_delay $n 0; done', '1 2 4 8 16 32 60 60'],
    'a system that ran for a minute': ['restart_delay 8 60', '1'],
    'a system that ran a little less': ['restart_delay 8 59', '60'],
  };
  test.each(Object.entries(STEPS))('%s', async (_name, [script, out]) => {
    expect((await ash(['retry'], script)).stdout.trim().replaceAll('\n', ' ')).toBe(out);
  });

  const POLICY: readonly (readonly [policy: string, status: number, again: boolean])[] = [
    ['always', 0, true],
    ['always', 1, true],
    ['on-failure', 0, false],
    ['on-failure', 3, true],
    ['on-failure', 137, true],
    ['never', 0, false],
    ['never', 1, false],
    ['nonsense', 1, false],
  ];
  test.each(POLICY)('restart %s after status %i: %s', async (policy, status, again) => {
    expect((await ash(['retry'], 'should_restart "$1" "$2"', [policy, String(status)])).status === 0).toBe(again);
  });
});

describe('which systems', () => {
  const SELECTED: Readonly<
    Record<string, readonly [chroot: string, claimed: string, systems: string, unknown: string]>
  > = {
    'no chroot=: all of the claim': ['', 'web\ndb', 'web db', ''],
    'all of them, in the order of the claim': ['/systems/db,/systems/web', 'web\ndb', 'web db', ''],
    'one left out at the boot prompt': ['/systems/db', 'web\ndb', 'db', ''],
    'one that the role does not have': ['/systems/web,/systems/x', 'web', 'web', 'x'],
    'a slash behind': ['/systems/web/', 'web', 'web', ''],
    'a name that only contains another': ['/systems/web', 'web2\nweb', 'web', ''],
    'names that would leave the folder are dropped': ['', '..\n../x\nweb\n.hidden\nUPPER', 'web', ''],
    'no systems': ['', '', '', ''],
  };
  test.each(Object.entries(SELECTED))('%s', async (_name, [chroot, claimed, systems, unknown]) => {
    const script = 'echo $(printf "%s\\n" "$2" | still_wanted "$1" "$2" out); unknown_systems "$1" "$2"';
    const { stdout } = await ash(['live/state', 'live/select'], script, [chroot, claimed]);
    expect(stdout).toBe(`${systems}\n${unknown}\n`);
  });
});

test('what the role got since the boot was not there to be left out', async () => {
  const script = 'echo $(printf "web\\ndb\\nmail\\n" | still_wanted "$1" "$2" out); echo "left out: $(cat out)"';
  const { stdout } = await ash(['live/state', 'live/select'], script, ['/systems/web', 'web\ndb']);
  expect(stdout).toBe('web mail\nleft out: db\n');
});

describe('what changed of a system, by its digest', () => {
  test.each([
    ['', 'a.b.c', 'definitions', 'new'],
    ['a.b.c', 'a.b.c', 'all', 'same'],
    ['a.b.c', 'x.b.c', 'definitions', 'definition'],
    ['a.b.c', 'x.y.z', 'definitions', 'definition'],
    ['a.b.c', 'a.y.c', 'definitions', 'same'],
    ['a.b.c', 'a.y.c', 'all', 'definition'],
    ['a.b.c', 'a.b.z', 'definitions', 'limits'],
    ['a.b.c', 'a.y.z', 'definitions', 'limits'],
    ['a.b.c', 'a.y.z', 'all', 'definition'],
  ])('%s -> %s, %s: %s', async (have, wanted, what, change) => {
    expect((await ash(['live/digest'], 'digest_change "$1" "$2" "$3"', [have, wanted, what])).stdout).toBe(
      `${change}\n`,
    );
  });
});

describe('limits', () => {
  const CPUS: readonly (readonly [string, string])[] = [
    ['1', '100000 100000'],
    ['0.5', '50000 100000'],
    ['2.25', '225000 100000'],
    ['0.001', '1000 100000'],
  ];
  test.each(CPUS)('cpu.max for %s', async (cpus, line) => {
    expect((await ash(['live/cgroup'], 'cpu_max "$1"', [cpus])).stdout).toBe(`${line}\n`);
  });
});

describe('rendered files', () => {
  interface Entry {
    readonly name: string;
    readonly type?: 'file' | 'directory' | 'symlink' | 'link' | 'character-device' | 'fifo';
    readonly linkname?: string;
  }

  async function archive(entries: readonly Entry[]): Promise<Buffer> {
    const tar = pack();
    for (const { name, type = 'file', linkname } of entries) {
      tar.entry({ name, type, ...(linkname === undefined ? {} : { linkname }) }, type === 'file' ? 'text' : '');
    }
    tar.finalize();
    const chunks: Buffer[] = [];
    for await (const chunk of tar) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  }

  const FINE: Readonly<Record<string, readonly Entry[]>> = {
    'no files': [],
    'a file': [{ name: 'etc/motd' }],
    'folders and files': [{ name: 'srv/', type: 'directory' }, { name: 'srv/index.html' }],
    'dots that are no way up': [{ name: 'etc/..motd' }, { name: 'etc/a..b' }, { name: './etc/x' }],
  };
  test.each(Object.entries(FINE))('taken: %s', async (_name, entries) => {
    const script =
      'mkdir up; layer_fill files.tar up || echo "$reason"; find up -type f | sort | while read -r f; do echo "$f"; done';
    const { stdout } = await ash(['tar-check', 'layer'], script, [], { 'files.tar': await archive(entries) });
    const files = entries
      .filter((entry) => !entry.name.endsWith('/'))
      .map((entry) => `up/${entry.name.replace('./', '')}`);
    expect(stdout).toBe(
      files
        .sort()
        .map((file) => `${file}\n`)
        .join(''),
    );
  });

  const REFUSED: Readonly<Record<string, readonly Entry[]>> = {
    'a way up': [{ name: '../evil' }],
    'a way up in the middle': [{ name: 'etc/../../evil' }],
    'a way up at the end': [{ name: 'etc/..' }],
    'only a way up': [{ name: '..' }],
    'an absolute name': [{ name: '/etc/passwd' }],
    'a symbolic link': [{ name: 'l', type: 'symlink', linkname: '/etc' }],
    'a symbolic link and a file through it': [{ name: 'l', type: 'symlink', linkname: '/' }, { name: 'l/evil' }],
    'a hard link': [{ name: 'l', type: 'link', linkname: '/etc/passwd' }],
    'a device': [{ name: 'd', type: 'character-device' }],
    'a pipe': [{ name: 'p', type: 'fifo' }],
    'a bad entry behind good ones': [{ name: 'a' }, { name: 'b' }, { name: '../c' }],
  };
  test.each(Object.entries(REFUSED))('refused: %s', async (_name, entries) => {
    const script = 'mkdir up; layer_fill files.tar up && echo taken; echo "$reason"; find up -mindepth 1; ls';
    const { stdout } = await ash(['tar-check', 'layer'], script, [], { 'files.tar': await archive(entries) });
    expect(stdout).toMatch(/^rendered files refused: .+\nfiles\.tar\nfiles\.tar\.errors\nfiles\.tar\.list\nup\n$/);
  });

  test('refused: not a tar', async () => {
    const script = 'mkdir up; layer_fill files.tar up && echo taken; echo "$reason"';
    const { stdout } = await ash(['tar-check', 'layer'], script, [], { 'files.tar': 'x'.repeat(2000) });
    expect(stdout).toMatch(/^rendered files refused: not a tar: /);
  });
});
