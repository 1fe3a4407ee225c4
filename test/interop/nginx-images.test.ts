import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { nginxUser } from '../../server/images/data-plane.js';
import { packageRoot } from '../../server/paths.js';
import { DhcpWire } from '../support/dhcp-namespace.js';
import { startRealServer } from '../support/real-server.js';

// nginx sends the images: one that the server runs, and a site's own one with the configuration that we ship.

let wire: DhcpWire;
let folder: string;
beforeEach(() => {
  wire = new DhcpWire('nginx', '10.77.0.1/24');
  folder = mkdtempSync(join(tmpdir(), 'ht-nginx-'));
  // Its serving processes run as another user.
  chmodSync(folder, 0o755);
});
afterEach(() => {
  wire.remove();
  rmSync(folder, { recursive: true });
});

const curl = async (...args: readonly string[]): Promise<string> =>
  (await wire.run(wire.server, ['curl', '-sS', '--max-time', '20', ...args])).text;
const base = 'http://10.77.0.1:8080';
const imageDigest = (): string => {
  const [first = ''] = readdirSync(join(folder, 'data/images/sha256'));
  return first;
};

/** What every way of sending must do alike. */
async function behavesAsOurOwn(output: () => string): Promise<void> {
  const digest = imageDigest();
  const bytes = readFileSync(join(folder, 'data/images/sha256', digest));
  const url = `${base}/images/sha256/${digest}`;
  const file = join(folder, 'fetched');
  await curl('-f', '-o', file, `${url}/name.img`);
  expect(readFileSync(file).equals(bytes)).toBe(true);
  expect(await curl('-I', url)).toMatch(new RegExp(`Content-Length: ${bytes.length}\r\n`));
  await curl('-f', '-r', '100-299', '-o', file, url);
  expect(readFileSync(file).equals(bytes.subarray(100, 300))).toBe(true);
  expect(await curl('-i', '-r', '0-1,5-6', url)).toMatch(/^HTTP\/1.1 416 /);
  const missing = await curl('-i', `${base}/images/sha256/${'0'.repeat(64)}`);
  expect(missing).toContain('no file with this sha256 is here');
  // The internal place is nobody's, and the name of the client is nginx's to say.
  expect(await curl('-i', `${base}/.anybios-image/${digest}`)).toMatch(/^HTTP\/1.1 404 /);
  expect(await curl('-i', '-H', 'X-Anybios-Client: 10.77.0.99', `${base}/boot/nothing.efi`)).toMatch(/^HTTP\/1.1 404 /);
  expect(await curl(`${base}/boot/ipxe/52-54-00-00-00-01`)).toMatch(/^#!ipxe\n/);
  expect(await curl(`${base}/healthz`)).not.toBe('');
  await expect
    .poll(output, { timeout: 10_000 })
    .toContain(`"address":"10.77.0.1","name":"images/sha256/${digest}/name.img"`);
  await expect.poll(output, { timeout: 10_000 }).toContain('"msg":"image sent"');
}

describe('listen.images: nginx', () => {
  test('files, parts, refusals and outcomes; a killed one is replaced; none is left', async () => {
    const server = await startRealServer(wire, folder, { images: 'nginx' });
    const pid = Number(readFileSync(join(folder, 'data/nginx/nginx.pid'), 'utf8'));
    await behavesAsOurOwn(server.output);
    process.kill(pid, 'SIGKILL');
    await expect.poll(() => server.output(), { timeout: 10_000 }).toContain('nginx ended, it is started again');
    const url = `${base}/images/sha256/${imageDigest()}`;
    await expect
      .poll(async () => await curl('-o', '/dev/null', '-w', '%{http_code}', url), { timeout: 15_000 })
      .toBe('200');
    const next = Number(readFileSync(join(folder, 'data/nginx/nginx.pid'), 'utf8'));
    expect(next).not.toBe(pid);
    await server.end('SIGTERM');
    expect(() => process.kill(next, 0)).toThrow('ESRCH');
  }, 90_000);

  test('it does not outlive a server that is killed', async () => {
    const server = await startRealServer(wire, folder, { images: 'nginx' });
    const pid = Number(readFileSync(join(folder, 'data/nginx/nginx.pid'), 'utf8'));
    await server.end('SIGKILL');
    const alive = (): boolean => {
      try {
        return process.kill(pid, 0);
      } catch {
        return false;
      }
    };
    await expect.poll(alive, { timeout: 10_000 }).toBe(false);
  }, 60_000);
});

test('listen.images: accel, behind the nginx of the site with the configuration that we ship', async () => {
  const server = await startRealServer(wire, folder, { images: 'accel' });
  const site = join(folder, 'site');
  mkdirSync(site);
  const user = nginxUser()?.name ?? 'nobody';
  copyFileSync(join(packageRoot, 'boot-assets/nginx/anybios.conf'), join(site, 'anybios.conf'));
  const conf = readFileSync(join(site, 'anybios.conf'), 'utf8').replaceAll('/srv/anybios/', `${folder}/data/`);
  writeFileSync(join(site, 'anybios.conf'), conf);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  writeFileSync(
    join(site, 'nginx.conf'),
    `daemon off; user ${user}; pid ${site}/nginx.pid; error_log stderr; events {}
http { ${temporary.map((name) => `${name}_temp_path ${site}/${name};`).join(' ')} include ${site}/anybios.conf; }\n`,
  );
  const nginx: ChildProcess = spawn(
    'ip',
    ['netns', 'exec', wire.server, 'nginx', '-c', join(site, 'nginx.conf'), '-p', site, '-e', 'stderr'],
    { stdio: 'inherit' },
  );
  const gone = new Promise<void>((resolve) => nginx.once('exit', () => resolve()));
  await expect.poll(async () => await curl(`${base}/healthz`), { timeout: 15_000 }).toContain('ok');
  await behavesAsOurOwn(server.output);
  nginx.kill('SIGTERM');
  await gone;
  await server.end('SIGTERM');
}, 60_000);
