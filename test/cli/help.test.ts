import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { createProgram, run } from '../../server/cli/program.js';
import { runCli } from './support/run-cli.js';

/** Writes into strings, as a terminal of 100 columns or as a pipe. */
function io(isTTY = false) {
  const written = { out: '', err: '' };
  const stream = (key: 'out' | 'err') => ({
    isTTY,
    columns: 100,
    write: (text: string) => {
      written[key] += text;
    },
  });
  return { written, io: { env: {}, stdin: process.stdin, stdout: stream('out'), stderr: stream('err') } };
}

function paths(command: Command, before: readonly string[] = []): readonly (readonly string[])[] {
  return command.commands
    .filter((child) => child.name() !== 'help')
    .flatMap((child) => [[...before, child.name()], ...paths(child, [...before, child.name()])]);
}

const all = paths(createProgram(io().io).program);

test('the commands are those of the product', () => {
  const top = new Set(all.map(([first]) => first));
  expect([...top].sort()).toEqual(
    'apply assets boot diff doctor export image job lab lease machine profile role serve system token'.split(' '),
  );
});

test.each([[], ...all].map((path) => [path.join(' '), path]))(
  'anybios %s --help ends with an example',
  async (_name, path) => {
    const { written, io: streams } = io();
    expect(await run([...path, '--help'], streams)).toBe(0);
    expect(written.out).toMatch(/\nExamples?:\n {2}# .+\n {2}anybios /);
    expect(written.err).toBe('');
    for (const line of written.out.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  },
);

test('examples are command lines that exist', async () => {
  for (const path of all) {
    const { written, io: streams } = io();
    await run([...path, '--help'], streams);
    const examples = written.out.slice(written.out.indexOf('\nExample'));
    for (const [, line = ''] of examples.matchAll(/^ {2}anybios (.+)$/gm)) {
      const words = line.split(' ');
      expect(all.some((known) => known.every((word, index) => words[index] === word))).toBe(true);
    }
  }
});

test.each([
  ['no command', [], 'error: a command is missing — remedy: see "anybios --help"'],
  ['half a command', ['machine'], 'error: a command is missing — remedy: see "anybios machine --help"'],
  [
    'a typing error',
    ['machine', 'lsit'],
    'error: unknown command \'lsit\' — remedy: Did you mean list? see "anybios machine --help"',
  ],
  ['an unknown option', ['export', '--fast'], 'error: unknown option \'--fast\' — remedy: see "anybios export --help"'],
  [
    'a missing argument',
    ['machine', 'show'],
    'error: missing required argument \'machine\' — remedy: see "anybios machine show --help"',
  ],
  ['too many arguments', ['lease', 'list', 'x'], 'error: too many arguments'],
  ['a missing option', ['apply'], "error: required option '-f, --file <file>' not specified"],
  ['a wrong choice', ['assets', 'build', '--flavour', 'mint'], 'Allowed choices are cloud, hardware.'],
  ['no server named', ['machine', 'list'], 'error: no server is named — remedy: set ANYBIOS_URL'],
])('%s: one line, exit code 2', async (_name, args, words) => {
  const { code, stdout, stderr } = await runCli(args);
  expect(stderr).toContain(words);
  expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  expect([code, stdout]).toEqual([2, '']);
});

test('with --json an error is JSON, wherever the option stands', async () => {
  for (const args of [
    ['--json', 'machine', 'lsit'],
    ['machine', 'lsit', '--json'],
  ]) {
    const { written, io: streams } = io(true);
    expect(await run(args, streams)).toBe(2);
    expect(JSON.parse(written.err)).toMatchObject({ error: { code: 'invalid', message: "unknown command 'lsit'" } });
  }
});

test('--version', async () => {
  expect(await runCli(['--version'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
});

test('a server that is not there is exit code 3', async () => {
  const { code, stderr } = await runCli(['machine', 'list'], {
    env: { ANYBIOS_URL: 'unix:/nonexistent/anybios.sock' },
  });
  expect(code).toBe(3);
  expect(stderr).toBe(
    'error: no server answers at unix:/nonexistent/anybios.sock: the socket is not there — remedy: start it with ' +
      '"anybios serve --config anybios.yaml", or set ANYBIOS_URL to where it runs\n',
  );
});
