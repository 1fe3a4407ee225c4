import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { compiledEntry } from '../../server/paths.js';

/** What the thread says, its nice value, and that of a program it starts. */
const SCRIPT = `
import { execFileSync } from 'node:child_process';
import { getPriority } from 'node:os';
const { goFirst } = await import(process.argv[1]);
const said = await goFirst();
const child = execFileSync(process.execPath, ['-p', 'os.getPriority()'], { encoding: 'utf8' });
console.log(JSON.stringify([said ?? 'done', getPriority(), Number(child)]));
`;

async function run(...before: readonly string[]): Promise<unknown> {
  const node = [process.execPath, '--input-type=module', '-e', SCRIPT, compiledEntry('native/go-first.js')];
  const [program = '', ...args] = [...before, ...node];
  const { stdout } = await promisify(execFile)(program, args);
  return JSON.parse(stdout);
}

test('root goes first, and what it starts does not', async () => {
  expect(await run()).toEqual(['done', -10, 0]);
});

test('a nice value or a policy that was chosen stays', async () => {
  expect(await run('nice', '-n', '5')).toEqual(['done', 5, 5]);
  expect(await run('chrt', '--batch', '0')).toEqual(['done', 0, 0]);
});

test('without the right to it all stays, and is told', async () => {
  expect(await run('setpriv', '--bounding-set=-sys_nice')).toEqual(['nice -10 is not allowed (EPERM)', 0, 0]);
});
