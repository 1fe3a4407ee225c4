import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import express from 'express';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseIpv4 } from '../../server/domain/ipv4.js';
import { agentRoutes, parseLines } from '../../server/http/agent.js';
import { bootRoutes, otherNames } from '../../server/http/boot-routes.js';
import { mac, startCore, type TestCore } from '../support/boot-core.js';

let core: TestCore;
let server: Server;
let base: string;
const log = { error: () => undefined };
// fetch comes from 127.0.0.1: that is the address of this boot.
const loopback = parseIpv4('127.0.0.1');

beforeAll(async () => {
  core = await startCore();
  const app = express();
  app.use('/agent/v1', agentRoutes({ ...core, log }));
  app.use('/boot', bootRoutes('/boot', core.boot, log));
  app.use(otherNames(core.boot));
  server = createServer(app).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  await core.close();
});

async function boot(): Promise<string> {
  core.dora('pxe');
  core.boot.step({ facts: { mac, client: 'pxe', arch: 0 }, message: 'ack', address: loopback, text: 'ack', data: {} });
  const text = await (await fetch(`${base}/boot/ipxe/52-54-00-00-00-01`)).text();
  return /anybios\.nonce=([0-9a-f]+)/.exec(text)?.[1] ?? '';
}
const post = (path: string, body: string, credential?: string) =>
  fetch(`${base}/agent/v1/${path}`, {
    method: 'POST',
    body,
    headers: credential === undefined ? {} : { authorization: `Bearer ${credential}` },
  });
const values = (text: string): Record<string, string> =>
  Object.fromEntries([...parseLines(Buffer.from(text))].map(([key, list]) => [key, list.join('|')]));

test('claim, system, files and heartbeat, as stage 1 and the live OS do it', async () => {
  const answer = await post('claim', `nonce=${await boot()}\nclaim-id=claim-id-1\nsecureboot=off\nuptime-ms=900\n`);
  expect(answer.status).toBe(200);
  expect(answer.headers.get('date')).toMatch(/GMT$/);
  const claim = values(await answer.text());
  expect(claim).toMatchObject({
    machine: 'node1',
    mode: 'resident',
    'heartbeat-seconds': '10',
    system: 'web|db',
    'failure-policy': 'reboot',
  });
  expect(claim.rootfs).toBe(`http://10.77.0.1:8080/images/sha256/${'d'.repeat(64)}/rootfs.squashfs`);
  const authorization = { headers: { authorization: `Bearer ${claim.credential}` } };
  const system = values(await (await fetch(`${base}/agent/v1/systems/web`, authorization)).text());
  expect(system).toMatchObject({
    kind: 'chroot',
    arg: '/bin/httpd|-f',
    env: 'SITE=main',
    'memory-bytes': '134217728',
    'image-sha256': 'e'.repeat(64),
  });
  const tar = Buffer.from(await (await fetch(`${base}/agent/v1/systems/web/files.tar`, authorization)).arrayBuffer());
  const dir = mkdtempSync(join(tmpdir(), 'anybios-tar-'));
  writeFileSync(join(dir, 'files.tar'), tar);
  execFileSync('tar', ['-xf', 'files.tar'], { cwd: dir });
  expect(execFileSync('cat', [join(dir, 'etc/motd')], { encoding: 'utf8' })).toBe('this is node1 with web\n');
  expect((await post('report', 'stage=live\nstep=started\nuptime-ms=5000\n', claim.credential)).status).toBe(200);
  const beat = await post('heartbeat', 'uptime-ms=6000\nsystem=web running 0\nsystem=db running 0\n', claim.credential);
  expect(await beat.text()).toBe('action=none\n');
  expect(core.views.machineView('node1')?.status).toBe('up');
});

describe('refusals carry their reason in the status line', () => {
  const rows: Record<string, [string, string, number, RegExp]> = {
    'no nonce': ['claim', 'claim-id=claim-id-1\n', 400, /nonce is missing/],
    'unknown nonce': ['claim', 'nonce=00\nclaim-id=claim-id-1\n', 403, /unknown nonce/],
    'a claim-id that is a path': ['claim', 'nonce=00\nclaim-id=../../../etc\n', 400, /claim-id must have 8 to 64/],
    'not key=value': ['claim', 'hello\n', 400, /line 1 is not key=value/],
    'no credential': ['report', 'stage=live\nstep=started\n', 403, /credential is missing/],
    'an unknown request': ['nonsense', '', 404, /no such request/],
    'a body over 64 KiB': ['claim', 'x='.padEnd(70_000, 'y'), 400, /larger than 65536 bytes/],
  };
  test.each(Object.entries(rows))('%s', async (_name, [path, body, status, reason]) => {
    const answer = await post(path, body);
    expect([answer.status, answer.statusText]).toEqual([status, expect.stringMatching(reason)]);
  });
  test('a wrong credential', async () => {
    const answer = await post('heartbeat', 'uptime-ms=1\n', 'f'.repeat(48));
    expect([answer.status, answer.statusText]).toEqual([403, 'unknown credential']);
  });
});

test.each(['Stage=x', '__proto__=x', 'a b=x', `${'k'.repeat(65)}=x`])('a key that is no word: %s', (line) => {
  expect(() => parseLines(Buffer.from(`stage=live\n${line}\n`))).toThrow('the key of line 2 is not');
});

test('a body that does not come to its end closes the connection', async () => {
  const app = express();
  app.use('/slow', agentRoutes({ ...core, log, bodyMilliseconds: 100 }));
  const slow = createServer(app).listen(0, '127.0.0.1');
  await once(slow, 'listening');
  const socket = connect((slow.address() as AddressInfo).port, '127.0.0.1');
  socket.write('POST /slow/claim HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nnonce=');
  await once(socket.resume(), 'close');
  await new Promise((resolve) => slow.close(resolve));
});

describe('/boot over HTTP', () => {
  test('HEAD has the length and no body, the connection is closed', async () => {
    const head = await fetch(`${base}/boot/ipxe/52-54-00-00-00-01`, { method: 'HEAD' });
    const text = await (await fetch(`${base}/boot/ipxe/52-54-00-00-00-01`)).text();
    expect(Number(head.headers.get('content-length'))).toBeGreaterThan(100);
    expect(text).toMatch(/^#!ipxe/);
    expect(head.headers.get('connection')).toBe('close');
  });
  const refused: Record<string, [string, number]> = {
    'out of the tree': ['/boot/..%2f..%2fetc/passwd', 403],
    'back-slashes': ['/boot/..%5c..%5cetc%5cpasswd', 403],
    'a NUL': ['/boot/snponly.efi%00.txt', 403],
    'bad percent-encoding': ['/boot/%zz', 400],
    'nothing of that name': ['/boot/nothing.efi', 404],
  };
  test.each(Object.entries(refused))('%s is refused with a reason', async (_name, [path, status]) => {
    const answer = await fetch(base + path);
    expect(answer.status).toBe(status);
    expect(await answer.text()).toMatch(/\w+ \w+/);
  });
  test('only GET and HEAD', async () => {
    expect((await fetch(`${base}/boot/snponly.efi`, { method: 'PUT' })).status).toBe(405);
  });
});

describe('the door of the live OS', () => {
  const hostKey = `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${'B'.repeat(43)}`;
  const claimed = async (claimId: string): Promise<string> => {
    const answer = await post('claim', `nonce=${await boot()}\nclaim-id=${claimId}\nuptime-ms=900\n`);
    return values(await answer.text()).credential ?? '';
  };

  test('is registered with the credential of the boot, and answers whom to let in; a newer boot closes it', async () => {
    const credential = await claimed('claim-id-door');
    const answer = await post('control', `host-key=${hostKey} root@node1\nport=922\n`, credential);
    expect(await answer.text()).toBe('authorized-key=ssh-ed25519 AAAAserver anybios\n');
    expect(core.state.observed.get('node1')?.control).toMatchObject({ address: loopback, port: 922, hostKey });
    // Its sshd was started again: the same door, no second event.
    await post('control', `host-key=${hostKey}\nport=922\n`, credential);
    expect((await core.kinds()).filter((kind) => kind === 'live.control')).toHaveLength(1);
    core.now += 120_000;
    await claimed('claim-id-later');
    expect(core.state.observed.get('node1')?.control).toBeUndefined();
    expect((await post('control', `host-key=${hostKey}\nport=922\n`, credential)).status).toBe(403);
  });

  test.each([
    ['no credential', `host-key=${hostKey}\nport=922\n`, false, 403],
    ['another kind of key', 'host-key=ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ\nport=922\n', true, 400],
    ['a line of known_hosts smuggled in', `host-key=@cert-authority * ${hostKey}\nport=922\n`, true, 400],
    ['no port', `host-key=${hostKey}\n`, true, 400],
    ['a port that is none', `host-key=${hostKey}\nport=70000\n`, true, 400],
  ])('refused: %s', async (_why, body, known, status) => {
    core.now += 120_000;
    const credential = known ? await claimed('claim-id-refused') : undefined;
    expect((await post('control', body, credential)).status).toBe(status);
    expect(core.state.observed.get('node1')?.control).toBeUndefined();
  });

  test('the list of systems tells by its digest which of them changed', async () => {
    core.now += 120_000;
    const credential = await claimed('claim-id-systems');
    const list = async (): Promise<readonly string[]> => {
      const answer = await fetch(`${base}/agent/v1/systems`, { headers: { authorization: `Bearer ${credential}` } });
      return (await answer.text()).trimEnd().split('\n');
    };
    const before = await list();
    expect(before).toEqual([
      expect.stringMatching(/^system=web [0-9a-f]{16}\.[0-9a-f]{16}\.[0-9a-f]{16}$/),
      expect.stringMatching(/^system=db [0-9a-f]{16}\.[0-9a-f]{16}\.[0-9a-f]{16}$/),
    ]);
    const web = core.state.systems.get('web');
    if (web === undefined) throw new Error('no system web');
    core.state.systems.set('web', { ...web, env: { SITE: 'other' } });
    const after = await list();
    core.state.systems.set('web', web);
    expect(after[0]).not.toBe(before[0]);
    expect(after[1]).toBe(before[1]);
    expect(await list()).toEqual(before);
  });
});

describe('names at the root of HTTP', () => {
  const get = (path: string): Promise<Response> =>
    // curl --path-as-is: fetch would resolve the dots itself.
    new Promise((resolve, reject) => {
      const { port } = server.address() as AddressInfo;
      const socket = connect(port, '127.0.0.1', () => socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`));
      let text = '';
      socket.on('data', (data) => {
        text += String(data);
      });
      socket.on('error', reject);
      socket.on('end', () => {
        const [head = '', body = ''] = text.split('\r\n\r\n');
        const location = /^location: (.*)$/im.exec(head)?.[1];
        const headers = location === undefined ? {} : { location };
        resolve(new Response(body, { status: Number(/^HTTP\/1.1 (\d+)/.exec(head)?.[1]), headers }));
      });
    });

  test.each([
    ['/autoexec.ipxe', /^#!ipxe/],
    ['//some/folder/autoexec.ipxe', /^#!ipxe/],
    ['/grub/grub.cfg', /source grub\/machine/],
    ['/grub/machine/52:54:00:00:00:01.cfg', /^# node1: role web/],
  ])('%s is rendered as over TFTP', async (path, expected) => {
    const response = await get(path);
    expect(response.status).toBe(200);
    expect(await response.text()).toMatch(expected);
  });

  test('a boot loader is fetched below /boot/, where it is not sent by the main process', async () => {
    const response = await get('/EFI/BOOT/snponly.efi');
    expect([response.status, response.headers.get('location')]).toEqual([307, '/boot/snponly.efi']);
  });

  test.each([
    ['/../package.json', 403, 'the name leaves its folder ("..")'],
    ['/..%2f..%2fetc/passwd', 403, 'the name leaves its folder ("..")'],
    ['/images/sha256/..%5c..%5cadmin.token', 403, 'the name leaves its folder ("..")'],
    ['/images/sha256/zz/rootfs.squashfs', 404, 'no such boot file'],
    ['/autoexec.ipxe%00', 403, 'the name holds a control character'],
    ['/%zz', 400, 'the name is not valid percent-encoding'],
  ])('%s is refused with a reason that reaches the events', async (path, status, reason) => {
    const response = await get(path);
    expect(response.status).toBe(status);
    expect(await response.text()).toContain(reason);
    await core.events.flush();
    const events = await core.store.events({ limit: 1000 });
    expect(events.filter(({ kind }) => kind === 'http.refused').at(-1)?.message).toContain(reason);
  });
});
