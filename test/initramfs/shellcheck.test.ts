import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { assetsSource } from './ash.js';

const SKIPPED = new Set(['out', 'cache']);

function filesBelow(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => !SKIPPED.has(name))
    .map((name) => `${folder}/${name}`)
    .flatMap((path) => (statSync(path).isDirectory() ? filesBelow(path) : [path]));
}

const shell = filesBelow(assetsSource).filter(
  (path) => path.endsWith('.sh') || path.endsWith('.script') || readFileSync(path, 'utf8').startsWith('#!'),
);

/** Runs shellcheck over `text`; resolves to what it says. */
function shellcheck(text: string, excluded: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      'shellcheck',
      ['--shell=dash', '--format=gcc', `--exclude=${excluded.join(',')}`, '-'],
      (error, stdout, stderr) => {
        if (error !== null && stdout === '') reject(new Error(stderr, { cause: error }));
        else resolve(stdout);
      },
    );
    child.stdin?.end(text);
  });
}

/**
 * A program with the libraries it sources, as one text: so undefined and unused variables are found across files.
 * The `for library in … . "/lib/anybios/…"` loop at the top names them.
 */
function linked(path: string): string {
  const text = readFileSync(path, 'utf8');
  const names = /^for library in ([^;]+); do$/m.exec(text)?.[1]?.split(' ') ?? [];
  const libraries = names.map((name) => {
    // Both live operating systems have a backend.sh: each its own.
    const own = path.includes('/live-debian/') ? ['live-debian/lib', 'live-debian'] : [];
    const folders = [...own, 'live/lib', 'initramfs/lib'];
    const places = folders.map((folder) => `${assetsSource}/${folder}/${name}.sh`);
    const place = places.find((candidate) => existsSync(candidate));
    if (place === undefined) throw new Error(`${path} sources ${name}.sh, which does not exist`);
    return readFileSync(place, 'utf8');
  });
  return [...libraries, text].join('\n');
}

// shellcheck needs a second or two for a program with its libraries, more on a busy machine.
describe('shellcheck', { timeout: 60_000 }, () => {
  test('there is something to check', () => {
    expect(shell.length).toBeGreaterThan(30);
  });

  // 1090, 1091: sourced files are checked by themselves and in the linked test below. 2154, 2034: variables across files, there.
  test.each(shell.map((path) => [path.slice(assetsSource.length + 1), path]))('%s', async (_name, path) => {
    expect(await shellcheck(readFileSync(path, 'utf8'), ['SC1090', 'SC1091', 'SC2154', 'SC2034'])).toBe('');
  });

  // A library used by several programs has functions and variables that one of them does not use: 2034, 2317.
  const programs = [
    'initramfs/stage1',
    'live/start',
    'live/refresh',
    'live/stop',
    'live/supervisor',
    'live/run-system',
    'live/run-job',
    'live/run-command',
    'live/control',
    'live/control-door',
    'live/systems/chroot-enter',
    ...['agent', 'before', 'bring-up', 'ended', 'health', 'launch', 'refresh', 'start', 'started'].map(
      (name) => `live-debian/${name}`,
    ),
  ];
  test.each(programs)('%s with its libraries', async (program) => {
    expect(await shellcheck(linked(`${assetsSource}/${program}`), ['SC1090', 'SC1091', 'SC2034', 'SC2317'])).toBe('');
  });

  test('nothing evaluates text', () => {
    for (const path of shell) expect(readFileSync(path, 'utf8'), path).not.toMatch(/^\s*eval\b/m);
  });
});
