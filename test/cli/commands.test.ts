import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { run } from '../../server/cli/program.js';
import { parseIpv4 } from '../../server/domain/ipv4.js';
import { createApp } from '../../server/http/app.js';
import { listening, listenOnSocket } from '../../server/http/listen.js';
import { adminToken, startApi, type TestApi } from '../support/api.js';
import { strangerMac } from '../support/boot-core.js';
import { type CliResult, runCli } from './support/run-cli.js';

const dir = mkdtempSync(`${tmpdir()}/anybios-commands-`);
const site = `${dir}/site.yaml`;
let api: TestApi;

beforeAll(async () => {
  api = await startApi({ core: { now: Date.now(), unknown: { kind: 'discover' } } });
  // Of the seed of the core's tests; a site file with it would be refused (a memory limit in mode single).
  await api.json('DELETE', '/api/v1/roles/one');
  api.leases.push({
    address: parseIpv4('10.77.0.150'),
    mac: strangerMac,
    hostname: 'evil\u001b[2J',
    state: 'active',
    startedAt: 0,
    expiresAt: 4_000_000_000,
  });
});
beforeEach(() => writeFileSync(site, 'roles:\n  - { name: cache, profile: micro, mode: resident, systems: [web] }\n'));
afterAll(async () => {
  await api.close();
  rmSync(dir, { recursive: true });
});

const anybios = (
  line: string,
  options: { readonly token?: string; readonly stdin?: string } = {},
): Promise<CliResult> =>
  runCli(line.split(' '), {
    env: { ANYBIOS_URL: api.url, ANYBIOS_TOKEN: options.token ?? adminToken },
    ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
  });

/** Prints nothing to standard error, unless `note` says what. */
async function out(line: string): Promise<string> {
  const { code, stdout, stderr } = await anybios(line);
  expect({ line, code, stderr }).toEqual({ line, code: 0, stderr: '' });
  return stdout;
}

async function json(line: string): Promise<unknown> {
  return JSON.parse(await out(`${line} --json`));
}

describe('desired state', () => {
  test('diff, apply, export: the whole circle', async () => {
    expect(await anybios(`diff -f ${site}`)).toEqual({ code: 1, stdout: '+ role cache\n', stderr: '' });
    expect(await out(`apply -f ${site} --dry-run`)).toBe('+ role cache\n1 change would be made\n');
    expect(await out(`apply -f ${site}`)).toBe('+ role cache\n1 change made\n');
    expect(await out(`apply -f ${site}`)).toBe('nothing to change\n');
    expect(await anybios(`diff -f ${site}`)).toEqual({ code: 0, stdout: '', stderr: '' });
    await out(`export -o ${dir}/exported.yaml`);
    expect(readFileSync(`${dir}/exported.yaml`, 'utf8')).toContain('name: cache');
    expect(await anybios('diff -f -', { stdin: await out('export') })).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  test('diff --json', async () => {
    writeFileSync(site, 'roles:\n  - { name: web, profile: micro, mode: resident, systems: [web] }\n');
    const { code, stdout } = await anybios(`diff -f ${site} --json`);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      changes: [{ kind: 'role', action: 'change', name: 'web', fields: ['systems'] }],
    });
  });

  test('a mistake is named with its line, and nothing is applied', async () => {
    writeFileSync(site, 'roles:\n  - name: ok\n    profile: micro\n  - name: bad\n    profil: micro\n');
    const { code, stderr } = await anybios(`apply -f ${site}`);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: \/.*\/site\.yaml:5: roles\[1\]\.profil: unknown key/m);
    expect(await anybios('role show ok')).toMatchObject({ code: 1 });
  });

  test('a file that is not there; trouble with diff is 2, not 1', async () => {
    expect(await anybios('diff -f /nonexistent.yaml')).toEqual({
      code: 2,
      stdout: '',
      stderr:
        'error: cannot read /nonexistent.yaml: there is no such file (--file) — remedy: name a file that exists and that you may read\n',
    });
    expect((await anybios(`diff -f ${site}`, { token: 'wrong' })).code).toBe(2);
  });
});

describe('machines', () => {
  test('list: aligned, a discovered one by its MAC', async () => {
    api.core.step('discover', 'pxe', { mac: strangerMac });
    await api.core.events.flush();
    const lines = (await out('machine list')).trimEnd().split('\n');
    expect(lines[0]).toMatch(/^MACHINE +STATUS +ROLE +ADDRESS +MAC +BOOT +SYSTEMS +SEEN$/);
    expect(lines.some((line) => /^node1 +off +web +- +52:54:00:00:00:01 /.test(line))).toBe(true);
    expect(lines.some((line) => line.startsWith(`${strangerMac}  discovered`))).toBe(true);
    expect(await json('machine list --status discovered')).toMatchObject({ items: [{ name: strangerMac }] });
  });

  test('show, explain, render', async () => {
    expect(await out('machine show node1')).toMatch(/^name +node1\nknown +true\nstatus +off\n/);
    const explained = await out('machine explain node1');
    expect(explained).toMatch(/^assignment +role +machine node1 has role web$/m);
    const script = await out('profile render micro --machine node1');
    expect(script).toMatch(/^#!ipxe\n/);
    expect(await json('profile render micro --machine node1 --loader grub')).toMatchObject({
      profile: 'micro',
      machine: 'node1',
      script: expect.stringContaining('linux'),
    });
  });

  test('on a terminal an explanation is wrapped, not cut', async () => {
    let written = '';
    const stream = {
      isTTY: true,
      columns: 80,
      write: (text: string) => {
        written += text;
      },
    };
    const env = { ANYBIOS_URL: api.url, ANYBIOS_TOKEN: adminToken, NO_COLOR: '1' };
    const code = await run(['machine', 'explain', 'node1'], {
      env,
      stdin: process.stdin,
      stdout: stream,
      stderr: stream,
    });
    expect(code).toBe(0);
    for (const line of written.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect(written.replace(/\s+/g, '')).toContain(`anybios.sha256=${'d'.repeat(64)}`);
  });

  test('assign a role, take it away', async () => {
    expect(await out('machine assign node1 disk')).toBe('node1 has the role disk now\n');
    expect(await json('machine show node1')).toMatchObject({ role: 'disk' });
    expect(await out('machine assign node1 --none')).toBe('node1 has no role now\n');
    expect(await json('machine show node1')).not.toHaveProperty('role');
    expect(await anybios('machine assign node1')).toMatchObject({
      code: 2,
      stderr: 'error: name one role, or --none — remedy: e.g. anybios machine assign node1 web\n',
    });
    const unknown = await anybios('machine assign node1 nope');
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toContain('nope');
    await out('machine assign node1 web');
  });

  test('approve, then remove', async () => {
    api.core.step('discover', 'pxe', { mac: strangerMac });
    expect(await out(`machine approve ${strangerMac} --name node7 --role web`)).toBe(
      `${strangerMac} is now node7 (role web)\n`,
    );
    expect(await anybios(`machine approve ${strangerMac} --name node8`)).toMatchObject({ code: 1 });
    expect(await out('machine remove node7')).toBe('node7 is removed\n');
    expect(await anybios('machine remove node7')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'error: there is no machine "node7" — remedy: see: anybios machine list\n',
    });
  });

  test('a name with odd characters is no path', async () => {
    expect((await anybios('machine show ../tokens')).stderr).toContain('there is no machine "../tokens"');
  });
});

describe('what there is', () => {
  test('roles', async () => {
    expect(await out('role list')).toMatch(/^ROLE +PROFILE +MODE +SYSTEMS +PARAMS\n/);
    expect(await out('role show web')).toMatch(/^name +web\nprofile +micro\nmode +resident\nsystems +web, db\n/);
    expect(await anybios('role remove web')).toMatchObject({ code: 1 });
    expect(await out('role remove disk')).toBe('role disk is removed\n');
  });

  test('systems', async () => {
    expect(await out('system list')).toMatch(/^web +chroot +base +always +\/bin\/httpd -f$/m);
    expect(await json('system show web')).toMatchObject({ name: 'web', memory: '128M' });
    expect(await anybios('system show nope')).toMatchObject({ code: 1 });
  });

  test('profiles', async () => {
    expect(await out('profile list')).toMatch(/^micro +boot /m);
    expect(await out('profile show micro')).toMatch(/^name +micro$/m);
    expect((await anybios('profile show nope')).stderr).toContain('remedy: profiles here: ');
  });

  test('leases: a host name cannot steer the terminal', async () => {
    const text = await out('lease list');
    expect(text).toMatch(/^10\.77\.0\.150 +52:54:00:00:00:99 +\S+ +active +in \d+ d \d+ h +evil·\[2J$/m);
    expect(await json('lease list')).toMatchObject({ items: [{ address: '10.77.0.150' }] });
  });

  test('leases: exported for other servers, ended by hand', async () => {
    expect(await out('lease export --format kea')).toMatch(/^address,hwaddr,.*\n10\.77\.0\.150,52:54:00:00:00:99,/);
    expect(await anybios('lease export --format isc')).toMatchObject({ code: 2 });
    expect(await out('lease release 10.77.0.150')).toBe('10.77.0.150 is free\n');
    expect(await json('lease list')).toMatchObject({ items: [{ state: 'released' }] });
    expect(await anybios('lease release 10.77.0.151')).toMatchObject({ code: 1 });
  });

  test('the network: other servers and relays that were heard', async () => {
    expect((await anybios('lease network')).stderr).toContain('nothing was heard but machines');
    const times = { firstSeenAt: 0, lastSeenAt: Date.now() };
    api.heard.push({
      kind: 'vlan',
      interface: 'eth0.20',
      text: 'a VLAN interface',
      count: 1,
      firstSeenAt: 0,
      lastSeenAt: 1,
    });
    const text = 'another DHCP server, 10.77.0.2, sent a DHCP offer on eth0';
    api.heard.push({ kind: 'server', address: parseIpv4('10.77.0.2'), interface: 'eth0', text, count: 3, ...times });
    expect(await out('lease network')).toMatch(
      /^server +10\.77\.0\.2 +eth0 +3× +.* another DHCP server, 10\.77\.0\.2/m,
    );
    expect(await json('lease network')).toMatchObject({ items: [{ kind: 'server', count: 3 }, { kind: 'vlan' }] });
  });

  test('boots', async () => {
    api.core.dora('pxe');
    await api.core.events.flush();
    const listed = await json('boot list --machine node1 --limit 1');
    expect(listed).toMatchObject({ items: [{ key: 'node1', stage: 'dhcp', outcome: 'running' }] });
    const session = (listed as { items: { session: string }[] }).items[0]?.session ?? '';
    expect(await out(`boot show ${session}`)).toMatch(
      /^ *TIME +EVENT +MESSAGE\n\+0\.000 s +dhcp\.(?:discover|offer) /m,
    );
    expect(await anybios('boot show nope')).toMatchObject({ code: 1 });
    expect(await anybios('boot list --limit zero')).toMatchObject({ code: 2 });
  });

  test('images', async () => {
    expect(await out('image list')).toMatch(/^kernel +1 +kernel +stable +2\.9 KiB +vmlinuz aaaaaaaaaaaa, /m);
    expect((await anybios('image remove base:1')).stderr).toContain('is used by');
    expect(await anybios('image remove base')).toMatchObject({ code: 2 });
  });
});

describe('tokens', () => {
  test('create prints the token alone; it works until it is removed', async () => {
    const { code, stdout, stderr } = await anybios('token create deploy');
    expect([code, stderr]).toEqual([0, 'token deploy is shown only now; use it as ANYBIOS_TOKEN\n']);
    const token = stdout.trim();
    expect((await anybios('token list', { token })).stdout).toMatch(/^deploy +20\d\d-/m);
    expect(await out('token remove deploy')).toBe('token deploy is revoked\n');
    expect(await anybios('token list', { token })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('remedy: check ANYBIOS_TOKEN'),
    });
  });

  test('without a token the remedy names the variable', async () => {
    const { code, stderr } = await runCli(['machine', 'list'], { env: { ANYBIOS_URL: api.url } });
    expect(code).toBe(1);
    expect(stderr).toBe(
      'error: a token is needed — remedy: set ANYBIOS_TOKEN, or run this as a user who may read dataDir/admin.token\n',
    );
  });
});

test('without ANYBIOS_URL: the configuration leads to the socket and the admin token', async () => {
  writeFileSync(`${dir}/anybios.yaml`, 'listen: { address: 127.0.0.1 }\ndhcp: { mode: "off" }\n');
  await listenOnSocketWith(async () => {
    for (const args of [
      ['--config', `${dir}/anybios.yaml`, 'role', 'list'],
      ['role', 'list', '--json'],
    ]) {
      expect(await runCli(args, { cwd: dir })).toMatchObject({ code: 0, stderr: '' });
    }
  });
});

async function listenOnSocketWith(use: () => Promise<void>): Promise<void> {
  mkdirSync(`${dir}/data`);
  writeFileSync(`${dir}/data/admin.token`, `${adminToken}\n`);
  const server = createServer(createApp(api.deps));
  await listenOnSocket(server, `${dir}/data/anybios.sock`);
  try {
    await use();
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

test('something that is no anybios server is named as such', async () => {
  const other = createServer((_request, response) => response.writeHead(200).end('<html>hello'));
  await listening(other, { host: '127.0.0.1', port: 0 });
  const address = other.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const { code, stderr } = await runCli(['role', 'list'], { env: { ANYBIOS_URL: `http://127.0.0.1:${port}` } });
  expect([code, stderr]).toEqual([
    3,
    `error: http://127.0.0.1:${port} answers, but not as an anybios server — remedy: check ANYBIOS_URL and its port\n`,
  ]);
  await new Promise((resolve) => other.close(resolve));
});
