import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resolveInside, SEARCHED_ENTRIES } from '../../server/images/site-files.js';

let top: string;
let root: string;

beforeAll(async () => {
  top = await realpath(await mkdtemp(join(tmpdir(), 'fi-site-')));
  root = join(top, 'files');
  await mkdir(join(root, 'Boot', 'x64'), { recursive: true });
  await mkdir(join(top, 'files-secret'));
  await writeFile(join(top, 'secret'), 'secret');
  await writeFile(join(top, 'files-secret', 'key'), 'secret');
  await writeFile(join(root, 'a.txt'), 'hello');
  await writeFile(join(root, 'empty'), '');
  await writeFile(join(root, 'Boot', 'x64', 'BCD'), 'bcd!');
  await writeFile(join(root, 'twin'), '1');
  await writeFile(join(root, 'Twin'), '22');
  await symlink('a.txt', join(root, 'inner-link'));
  await symlink(join(root, 'a.txt'), join(root, 'absolute-inner-link'));
  await symlink('../secret', join(root, 'out-link'));
  await symlink('..', join(root, 'out-folder'));
  await symlink('../files-secret', join(root, 'Out-Sibling'));
  await symlink('nowhere', join(root, 'dangling'));
  await symlink('loop', join(root, 'loop'));
  execFileSync('mkfifo', [join(root, 'pipe')]);
});

afterAll(() => rm(top, { recursive: true }));

describe('files below the folder', () => {
  const found: Record<string, [name: string, path: string, size: number]> = {
    'a file': ['a.txt', 'a.txt', 5],
    'an empty file': ['empty', 'empty', 0],
    'a file in folders': ['Boot/x64/BCD', 'Boot/x64/BCD', 4],
    'case that the loader did not keep': ['boot/X64/bcd', 'Boot/x64/BCD', 4],
    'the exact name where another differs in case only': ['Twin', 'Twin', 2],
    'a link that stays inside, by its real path': ['inner-link', 'a.txt', 5],
    'an absolute link that stays inside': ['absolute-inner-link', 'a.txt', 5],
  };
  test.each(Object.entries(found))('%s', async (_, [name, path, size]) => {
    expect(await resolveInside(root, name)).toEqual({ kind: 'file', path: join(root, path), size });
  });
});

describe('everything else is refused with its reason', () => {
  const refused: Record<string, string> = {
    '': 'the name is empty',
    missing: 'no such file',
    'missing/deeper': 'no such file',
    'a.txt/deeper': 'no such file',
    dangling: 'no such file',
    '..': 'the name leaves its folder ("..")',
    '../secret': 'the name leaves its folder ("..")',
    'Boot/../../secret': 'the name leaves its folder ("..")',
    '/etc/passwd': 'the name is absolute',
    '//a.txt': 'the name is absolute',
    'Boot//x64/BCD': 'the name has an empty part',
    './a.txt': 'the name has an empty part',
    'a.txt/': 'the name has an empty part',
    '..\\secret': 'the name holds a back-slash',
    'a.txt\0.efi': 'the name holds a NUL character',
    '%2e%2e/secret': 'no such file',
    '..%2fsecret': 'no such file',
    'out-link': 'the name leads out of its folder (symbolic link)',
    'out-folder/secret': 'the name leads out of its folder (symbolic link)',
    'out-sibling/key': 'the name leads out of its folder (symbolic link)',
    'Out-Sibling/key': 'the name leads out of its folder (symbolic link)',
    'out-sibling/guess': 'the name leads out of its folder (symbolic link)',
    tWIN: 'several files match without case: Twin, twin',
    Boot: 'not a regular file',
    pipe: 'not a regular file',
  };
  test.each(Object.entries(refused))('%j: %s', async (name, reason) => {
    expect(await resolveInside(root, name)).toEqual({ kind: 'none', reason });
  });

  test('a link that leads to itself', async () => {
    expect(await resolveInside(root, 'loop')).toMatchObject({ kind: 'none', reason: expect.stringContaining('ELOOP') });
  });

  test('a name longer than a file system takes', async () => {
    expect(await resolveInside(root, 'x'.repeat(300))).toMatchObject({ kind: 'none' });
    expect(await resolveInside(root, 'x/'.repeat(700))).toMatchObject({ kind: 'none' });
  });

  test('a folder that is not there', async () => {
    expect(await resolveInside(join(top, 'gone'), 'a.txt')).toEqual({ kind: 'none', reason: 'no such file' });
  });
});

test('a folder that is itself reached by a link is fine', async () => {
  await symlink('files', join(top, 'link-to-files'));
  expect(await resolveInside(join(top, 'link-to-files'), 'a.txt')).toMatchObject({ path: join(root, 'a.txt') });
});

test('a folder of very many files: names as written are found, others are not searched for', async () => {
  const many = join(top, 'many');
  await mkdir(join(many, 'pxelinux.cfg'), { recursive: true });
  const write = (name: string): void => writeFileSync(join(many, 'pxelinux.cfg', name), '');
  for (let entry = 0; entry < SEARCHED_ENTRIES; entry++) write(`m${entry}`);
  expect(await resolveInside(many, 'pxelinux.cfg/M7')).toMatchObject({ kind: 'file' });

  write('one-more');
  expect(await resolveInside(many, 'pxelinux.cfg/m7')).toMatchObject({ kind: 'file' });
  expect(await resolveInside(many, 'PXELINUX.cfg/m7')).toMatchObject({ kind: 'file' });
  const reason = `no such file as written, and a folder with more than ${SEARCHED_ENTRIES} entries is not searched without case`;
  expect(await resolveInside(many, 'pxelinux.cfg/M7')).toEqual({ kind: 'none', reason });
});
