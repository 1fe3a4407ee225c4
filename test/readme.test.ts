import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { assetChecks } from '../server/cli/checks/assets.js';
import { createProgram } from '../server/cli/program.js';
import { packageRoot } from '../server/paths.js';
import { runCli, startCli } from './cli/support/run-cli.js';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const read = (path: string): string => readFileSync(`${packageRoot}/${path}`, 'utf8');
const { scripts } = JSON.parse(read('package.json')) as { scripts: Readonly<Record<string, string>> };

/** The shell blocks of a page. */
const blocksOf = (path: string): string[] =>
  [...read(path).matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text = '']) => text);

/** `cat > FILE <<'EOF'` … `EOF` */
const HERE_DOCUMENT = /^cat > (\S+) <<'EOF'\n(.*?)^EOF\n/gms;

/** The commands of a page as words, without comments and here-documents. */
function commandsOf(path: string): string[][] {
  return blocksOf(path)
    .flatMap((block) => block.replace(HERE_DOCUMENT, '').split('\n'))
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .filter((line) => line !== '')
    .map((line) => line.split(/\s+/));
}

/** What the command line makes of these words, with everything parsed and nothing done: the full name of the command. */
async function parsed(words: readonly string[]): Promise<string> {
  const { program } = createProgram({
    stdin: new PassThrough(),
    stdout: new PassThrough(),
    stderr: new PassThrough(),
    env: {},
  });
  let reached = '';
  const dry = (command: Command, name: string): void => {
    if (command.commands.length === 0)
      command.action(() => {
        reached = name;
      });
    for (const one of command.commands) dry(one, `${name} ${one.name()}`);
  };
  dry(program, 'anybios');
  await program.parseAsync([...words], { from: 'user' });
  return reached;
}

/** The words that reach the command line, through npm or directly; undefined = another program. */
function anybiosWords([first, second, ...rest]: readonly string[]): readonly string[] | undefined {
  if (first === 'npx' && second === 'anybios') return rest;
  if (first !== 'npm') return undefined;
  const [name = '', more] = second === 'run' ? [rest[0], rest.slice(1)] : [second, rest];
  const script = scripts[name];
  if (script === undefined) throw new Error(`package.json has no script "${name}"`);
  const start = /node (?:--\S+ )*dist\/cli\/anybios\.js(.*)$/.exec(script)?.[1];
  if (start === undefined) {
    expect(more, `${name} takes nothing here`).toEqual([]);
    return undefined;
  }
  if (more.length > 0) expect(more[0], 'npm hands on what comes after --').toBe('--');
  return [...start.split(/\s+/).filter((word) => word !== ''), ...more.slice(1)];
}

describe.each(['README.md', 'docs/operating.md'])('the commands of %s', (path) => {
  const commands = commandsOf(path);

  test.each(commands.map((words) => [words.join(' '), words] as const))('%s', async (_line, words) => {
    const forUs = anybiosWords(words);
    if (forUs !== undefined) expect(await parsed(forUs)).toMatch(/^anybios \w/);
    else if (words[0] === 'cp') expect(existsSync(`${packageRoot}/${words[1]}`)).toBe(true);
    else expect(words[0]).toBe('npm');
  });
});

test('commands in the tables of docs/operating.md are ones', async () => {
  const lines = read('docs/operating.md')
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .flatMap((line) => [...line.matchAll(/`anybios ([^`]+)`/g)].map(([, words = '']) => words.split(/\s+/)));
  expect(lines.length).toBeGreaterThan(15);
  for (const words of lines) expect(await parsed(words), words.join(' ')).toMatch(/^anybios \w/);
});

test('a command line that does not exist is found', async () => {
  await expect(parsed(['serve', '--confg', 'x'])).rejects.toThrow('unknown option');
  await expect(parsed(['assets', 'build', '--flavour', 'soft'])).rejects.toThrow('soft');
  expect(() => anybiosWords(['npm', 'run', 'labs'])).toThrow('"labs"');
});

describe('the first real network of README.md, with DHCP off', () => {
  const dir = mkdtempSync(`${tmpdir()}/anybios-readme-`);
  const said: string[] = [];
  let server: ReturnType<typeof startCli>;

  beforeAll(async () => {
    writeFileSync(`${dir}/anybios.yaml`, 'listen: { address: 127.0.0.1, http: 0, tftp: 0 }\ndhcp: { mode: "off" }\n');
    server = startCli(['serve', '--config', 'anybios.yaml'], { cwd: dir });
    // The log is not read here; a full pipe would stop the server.
    server.stdout.resume();
    createInterface(server.stderr).on('line', (line) => said.push(line));
    await vi.waitFor(() => expect(said).toContainEqual(expect.stringMatching(/^anybios serves http:/)), {
      timeout: 50_000,
    });
  });
  afterAll(() => {
    server.kill('SIGKILL');
    rmSync(dir, { recursive: true });
  });

  test('its site.yaml is applied, and node1 is what it says', async () => {
    const [document] = blocksOf('README.md').flatMap((block) => block.match(HERE_DOCUMENT) ?? []);
    execFileSync('sh', ['-ec', document ?? 'exit 1'], { cwd: dir });
    expect(await runCli(['apply', '-f', 'site.yaml'], { cwd: dir })).toMatchObject({ code: 0, stderr: '' });
    expect(await runCli(['diff', '-f', 'site.yaml'], { cwd: dir })).toMatchObject({ code: 0 });
    const { stdout } = await runCli(['machine', 'show', 'node1', '--json'], { cwd: dir });
    expect(JSON.parse(stdout)).toMatchObject({ name: 'node1', role: 'web', macs: ['52:54:00:00:00:01'] });
  });
});

test('doctor names the line for real machines when only the flavour of virtual ones was built', async () => {
  const dir = mkdtempSync(`${tmpdir()}/anybios-readme-`);
  const ofHardware = async (site: boolean) =>
    (await assetChecks(dir, { site })).filter(({ name }) => name === 'boot assets (hardware)');
  try {
    const line =
      commandsOf('README.md')
        .find((words) => words.includes('assets'))
        ?.join(' ') ?? '?';
    expect(await ofHardware(true)).toMatchObject([{ state: 'warning', remedy: expect.stringContaining(line) }]);
    expect(await ofHardware(false)).toEqual([]);
    mkdirSync(`${dir}/hardware`);
    writeFileSync(`${dir}/hardware/manifest.json`, '{}');
    expect(await ofHardware(true)).toMatchObject([{ state: 'failed' }]);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
