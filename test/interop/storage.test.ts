import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packageRoot } from '../../server/paths.js';

/*
 * Labelled disks of the Debian live OS (boot-assets/live-debian/lib/storage.sh) on real block devices: formatted only when empty, never
 * when anything else lies there; found again by the label.
 */

const MIB = 1024 * 1024;
const LABEL = 'anybios-test';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync('/tmp/anybios-storage-');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a script of the live OS's shell with its words, in mounts of its own; `$1` is the device. Answers what it wrote. */
function live(script: string, device: string): string {
  const words = ['console', 'kv', 'retry', 'http', 'report'].map((name) => `initramfs/lib/${name}`);
  const sourced = [...words, 'live-debian/lib/storage']
    .map((name) => `. ${packageRoot}/boot-assets/${name}.sh\n`)
    .join('');
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', anybios_run: folder, anybios_say_to: join(folder, 'said') };
  return execFileSync(
    'unshare',
    ['-m', 'dash', '-c', `${sourced}server=http://127.0.0.1:9\n${script}`, 'dash', device],
    {
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
}

/** A block device over a file of `mebibytes` that `fill` has written to. */
function withDevice<T>(mebibytes: number, fill: (file: string) => void, use: (device: string, file: string) => T): T {
  const file = join(folder, 'disk');
  writeFileSync(file, '');
  truncateSync(file, mebibytes * MIB);
  fill(file);
  const device = execFileSync('losetup', ['--find', '--show', file], { encoding: 'utf8' }).trim();
  try {
    return use(device, file);
  } finally {
    execFileSync('losetup', ['--detach', device]);
  }
}

const write = (bytes: Uint8Array, at: number) => (file: string) => {
  const content = readFileSync(file);
  content.set(bytes, at);
  writeFileSync(file, content);
};
const digestOf = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');

/** A partition table of one partition (type 0x83 from sector 2048), and its signature. */
const mbr = (file: string) => {
  const entry = Buffer.from('00000000830000000008000000100000', 'hex');
  write(entry, 446)(file);
  write(Buffer.from('55aa', 'hex'), 510)(file);
};

describe('a disk that is declared for a label', () => {
  const format = 'disk_format "$1" anybios-test && echo formatted || echo "refused: $reason"';

  test('is formatted when it is empty, and found by its label from then on: what lies there stays', () => {
    withDevice(
      16,
      () => undefined,
      (device) => {
        const mount = `disk_mount ${LABEL} "$1" || echo "refused: $reason"; cd "$anybios_run/disks/${LABEL}" && `;
        expect(live(`${mount} echo kept >file && echo mounted`, device)).toBe('mounted\n');
        expect(live(`${mount} cat file`, device)).toBe('kept\n');
        // By the label alone: on a machine that declares no device.
        expect(live(`disk_mount ${LABEL} && cat "$anybios_run/disks/${LABEL}/file"`, device)).toBe('kept\n');
      },
    );
  });

  const random = Buffer.alloc(4096, 0x5a);
  test.each<[string, number, (file: string) => void, RegExp]>([
    ['a file system', 16, (file) => void execFileSync('mkfs.ext4', ['-q', '-L', 'other', file]), /is not empty: ext4/],
    ['a partition table', 16, mbr, /is not empty: (dos|partitions)/],
    ['an encrypted volume', 16, write(Buffer.from('LUKS\xba\xbe\x00\x01', 'latin1'), 0), /is not empty: \S+/],
    ['data at its start', 16, write(random, 512 * 1024), /is not empty: data that is no file system/],
    ['data at its end (RAID)', 16, write(random, 16 * MIB - 65536), /is not empty: data that is no file system/],
    ['no room', 4, () => undefined, /is not empty: less than 8 MiB of room/],
  ])('is refused with %s, and not one byte of it changes', (_, mebibytes, fill, why) => {
    withDevice(mebibytes, fill, (device, file) => {
      const before = digestOf(file);
      expect(live(format, device)).toMatch(why);
      expect(digestOf(file)).toBe(before);
    });
  });

  test('is refused when it is not there', () => {
    expect(live(format, '/dev/disk/by-id/none')).toBe(
      `refused: no disk has the label ${LABEL}, and /dev/disk/by-id/none is not there\n`,
    );
  });
});

test('without a declared device nothing is formatted', () => {
  expect(live(`disk_mount ${LABEL} || echo "refused: $reason"`, '')).toBe(
    `refused: no disk has the label ${LABEL}, and the machine declares none for it (disks)\n`,
  );
});

test('two disks with one label are refused: nobody knows which one is meant', () => {
  const labelled = (file: string) => void execFileSync('mkfs.ext4', ['-q', '-L', LABEL, file]);
  withDevice(16, labelled, (first) => {
    const copy = join(folder, 'second');
    writeFileSync(copy, '');
    truncateSync(copy, 16 * MIB);
    labelled(copy);
    const second = execFileSync('losetup', ['--find', '--show', copy], { encoding: 'utf8' }).trim();
    try {
      const said = live(`disk_mount ${LABEL} "$1" || echo "refused: $reason"`, first);
      expect(said).toMatch(/^refused: more than one disk has the label anybios-test: /);
      expect(said).toContain(first);
      expect(said).toContain(second);
    } finally {
      execFileSync('losetup', ['--detach', second]);
    }
  });
});
