import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chownSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { compiledEntry } from '../../server/paths.js';
import { seededBytes } from '../support/tftp-random.js';

// Files that somebody else put there, as a backup does when root restores it: they are served, read whole once, and looked at.

let folder: string;
const bytes = seededBytes(4, 300_000);
const digest = createHash('sha256').update(bytes).digest('hex');
const path = (): string => join(folder, 'sha256', digest);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'img-restored-'));
  mkdirSync(join(folder, 'sha256'));
  writeFileSync(path(), bytes);
  chownSync(path(), 12_345, 12_345);
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Checks three times, without the right to change a file of somebody else; before the last time `between` happens. */
function checks(between: string): unknown {
  const script = `
    import fs from 'node:fs';
    const { checkFile } = await import(${JSON.stringify(compiledEntry('images/check-file.js'))});
    const said = [];
    for (const before of ['', '', ${JSON.stringify(between)}]) {
      if (before !== '') fs.writeFileSync(${JSON.stringify(path())}, before);
      let read = 0;
      said.push(await checkFile(${JSON.stringify(folder)}, ${JSON.stringify(digest)}, { onProgress: (n) => { read = n; } }), read);
    }
    console.log(JSON.stringify(said));`;
  const words = ['--bounding-set', '-fowner', process.execPath, '--input-type=module', '-e', script];
  return JSON.parse(execFileSync('setpriv', words, { encoding: 'utf8' }));
}

test('a whole one is read once', () => {
  const before = statSync(path()).mtimeMs;
  expect(checks('')).toEqual(['ok', bytes.length, 'ok', 0, 'ok', 0]);
  expect(statSync(path()).mtimeMs).toBe(before);
});

test('a write to it is noticed all the same', () => {
  expect(checks('other')).toEqual(['ok', bytes.length, 'ok', 0, 'damaged', 5]);
});
