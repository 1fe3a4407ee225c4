import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type CliResult, runCli, startCli } from './support/run-cli.js';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const dir = mkdtempSync(`${tmpdir()}/anybios-serve-`);
const env = { ANYBIOS_DATA_DIR: './data' };
const server = startCliWithConfig();
const said: string[] = [];

function startCliWithConfig(): ReturnType<typeof startCli> {
  const listen = 'listen: { address: 127.0.0.1, http: 0, tftp: 0 }';
  writeFileSync(`${dir}/anybios.yaml`, `dataDir: ./overridden\n${listen}\ndhcp: { mode: "off" }\n`);
  return startCli(['serve', '--config', 'anybios.yaml'], { cwd: dir, env });
}

const anybios = (...args: readonly string[]): Promise<CliResult> => runCli(args, { cwd: dir, env });

/** Status of /healthz on the unix socket; 0 = nobody answers yet. */
function health(): Promise<number> {
  return new Promise((resolve) => {
    get({ socketPath: `${dir}/data/anybios.sock`, path: '/healthz' }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    }).on('error', () => resolve(0));
  });
}

/** Mode of the admin token when /healthz answered 200 for the first time; undefined = it was not there. */
let tokenWhenHealthy: number | undefined;

beforeAll(async () => {
  // The log of the server is not read here; a full pipe would stop it.
  server.stdout.resume();
  createInterface(server.stderr).on('line', (line) => said.push(line));
  await vi.waitFor(async () => expect(await health()).toBe(200), { timeout: 50_000, interval: 5 });
  tokenWhenHealthy = statSync(`${dir}/data/admin.token`, { throwIfNoEntry: false })?.mode;
  await vi.waitFor(() => expect(said).toContainEqual(expect.stringMatching(/^anybios serves http:/)), {
    timeout: 50_000,
  });
});
afterAll(() => {
  if (server.exitCode === null) server.kill('SIGKILL');
  rmSync(dir, { recursive: true });
});

test('the admin token was there, for its owner only, before /healthz answered 200', () => {
  expect((tokenWhenHealthy ?? 0) & 0o777).toBe(0o600);
});

test('a variable overrides the file', () => {
  expect(existsSync(`${dir}/overridden`)).toBe(false);
});

test('what is exported is what was applied: applying it again changes nothing', async () => {
  writeFileSync(
    `${dir}/site.yaml`,
    `systems:
  - { name: web, kind: chroot, image: base, command: [/bin/httpd, -f, -p, "80"], env: {SITE: main}, files: {/etc/motd: "{{machine.name}}"},
      memory: 128M, cpus: 1, storage: ram, restart: always }
roles:
  - { name: web, profile: micro, mode: resident, systems: [web], params: {} }
machines:
  - { name: node1, macs: ["52:54:00:00:00:01"], role: web, labels: {rack: r1} }
`,
  );
  expect(await anybios('apply', '-f', 'site.yaml')).toMatchObject({ code: 0, stderr: '' });
  expect(await anybios('export', '-o', 'exported.yaml')).toMatchObject({ code: 0 });
  expect(await anybios('diff', '-f', 'exported.yaml', '--prune')).toMatchObject({ code: 0 });
  expect(await anybios('apply', '-f', 'exported.yaml', '--prune')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('nothing to change'),
  });
});

test('the shipped images and profiles are there', async () => {
  const { code, stdout, stderr } = await anybios('image', 'list');
  expect([code, stderr]).toEqual([0, '']);
  for (const name of ['kernel', 'micro', 'base']) expect(stdout).toMatch(new RegExp(`^${name} .* stable `, 'm'));
  expect((await anybios('profile', 'list')).stdout).toMatch(/^micro +boot /m);
});

test('doctor finds the server that is running', async () => {
  const { stdout } = await anybios('doctor', '--json');
  const { checks } = JSON.parse(stdout) as { checks: { name: string; state: string }[] };
  expect(checks).toContainEqual({ name: 'server', state: 'ok', message: 'is running' });
  expect(checks.find(({ name }) => name === 'boot assets')).toMatchObject({ state: 'ok' });
});

test('a second server on the same data is refused', async () => {
  const { code, stderr } = await anybios('serve');
  expect(code).toBe(1);
  expect(stderr).toMatch(/^error: .*in use.* — remedy: stop the other/m);
});

test('a dataDir that cannot be made is told with its remedy', async () => {
  writeFileSync(`${dir}/a-file`, '');
  const { code, stderr } = await anybios('serve', '--set', 'dataDir=a-file/data');
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^error: the folder .*a-file\/data cannot be made \(ENOTDIR\) \(dataDir\) — remedy: name a folder/m,
  );
});

test('mistakes in the configuration: exit code 2, a line each', async () => {
  writeFileSync(`${dir}/wrong.yaml`, 'listen:\n  htp: 8080\ndhcp:\n  mode: fast\n');
  const { code, stdout, stderr } = await anybios('serve', '--config', 'wrong.yaml');
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(/^error: wrong\.yaml:2: listen\.htp: /m);
  expect(stderr).toMatch(/^error: wrong\.yaml:4: dhcp\.mode: /m);
  expect((await anybios('serve', '--set', 'listen.http')).stderr).toBe(
    'error: "listen.http" is not KEY=VALUE (--set) — remedy: e.g. --set listen.http=8081\n',
  );
});

test('SIGTERM ends it in order; then no server answers', async () => {
  const closed = once(server, 'close');
  server.kill('SIGTERM');
  await closed;
  expect(server.exitCode).toBe(0);
  expect(said.at(-1)).toBe('stopping');
  expect(await anybios('machine', 'list')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining(`no server answers at unix:${dir}/data/anybios.sock: the socket is not there`),
  });
});
