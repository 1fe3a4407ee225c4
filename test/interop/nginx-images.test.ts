import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { nginxUser } from '../../server/images/nginx-user.js';
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

/** A file of random bytes in the folder, and its sha256. */
function randomFile(name: string, bytes: number): { readonly path: string; readonly digest: string } {
  const content = randomBytes(bytes);
  const path = join(folder, name);
  writeFileSync(path, content);
  return { path, digest: createHash('sha256').update(content).digest('hex') };
}

const stored = (digest: string): string => join(folder, 'data/images/sha256', digest);

/** Its number; it is the only one in this namespace. */
function streamProcess(): number {
  const inside = readFileSync(
    `/proc/${Number(readFileSync(join(folder, 'data/nginx/nginx.pid'), 'utf8'))}/status`,
    'utf8',
  );
  const server = Number(/^PPid:\s*(\d+)/m.exec(inside)?.[1]);
  const children = readFileSync(`/proc/${server}/task/${server}/children`, 'utf8').trim().split(' ').map(Number);
  const found = children.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('stream-process.js'));
  if (found === undefined) throw new Error('no process streams images');
  return found;
}

/** Uploads reach the process that keeps the files through nginx, whole or not at all. */
async function takesUploads(): Promise<void> {
  const token = readFileSync(join(folder, 'data/admin.token'), 'utf8').trim();
  const large = randomFile('large', 40_000_000);
  const status = async (...args: string[]): Promise<string> =>
    await curl('-o', join(folder, 'answer'), '-w', '%{http_code}', '-X', 'POST', ...args);
  const answer = (): unknown => JSON.parse(readFileSync(join(folder, 'answer'), 'utf8'));
  const url = `${base}/api/v1/image-files`;
  const allowed = ['-H', `Authorization: Bearer ${token}`];

  expect(await status('--data-binary', `@${large.path}`, `${url}?digest=${large.digest}`)).toBe('401');
  expect(answer()).toMatchObject({ error: { code: 'unauthorized' } });
  expect(await status('--data-binary', `@${large.path}`, '-H', 'Authorization: Bearer no', url)).toBe('401');
  expect(await status(...allowed, '--data-binary', `@${large.path}`, `${url}?digest=${'0'.repeat(64)}`)).toBe('400');
  expect(existsSync(stored(large.digest))).toBe(false);
  expect(await status(...allowed, '--data-binary', `@${large.path}`, `${url}?digest=${large.digest}`)).toBe('201');
  expect(answer()).toEqual({ digest: large.digest, size: 40_000_000 });
  expect(readFileSync(stored(large.digest)).equals(readFileSync(large.path))).toBe(true);
  // Of a length that is not known before (a pipe): in chunks, and after a question whether to send at all.
  const piped = randomFile('piped', 3_000_001);
  expect(
    await status(...allowed, '-H', 'Expect: 100-continue', '-T', piped.path, '-H', 'Transfer-Encoding: chunked', url),
  ).toBe('201');
  expect(readFileSync(stored(piped.digest)).equals(readFileSync(piped.path))).toBe(true);
  // Two requests on one connection: nginx has one of its own for each.
  const twice = await curl(...allowed, `${url}/${piped.digest}`, `${url}/${large.digest}`);
  expect(twice).toContain(`"size":3000001`);
  expect(twice).toContain(`"size":40000000`);
  // Who leaves in the middle leaves nothing.
  const cut = ['-H', 'Content-Length: 90000000', '--max-time', '2', '--data-binary', `@${large.path}`];
  await curl('-X', 'POST', ...allowed, ...cut, url);
  await expect.poll(() => readdirSync(join(folder, 'data/images/incoming')), { timeout: 20_000 }).toEqual([]);

  // Damage of a file that is known to be good is seen before a byte of it leaves, though nginx sends it.
  const image = `${base}/images/sha256/${large.digest}`;
  expect(await curl('-o', '/dev/null', '-w', '%{http_code}', image)).toBe('200');
  chmodSync(stored(large.digest), 0o644);
  const file = openSync(stored(large.digest), 'r+');
  writeSync(file, 'x', 20_000_000);
  closeSync(file);
  expect(await curl('-i', image)).toMatch(/^HTTP\/1.1 500 this image is damaged on the server/);
  expect(await curl('-i', '-r', '0-99', image)).toMatch(/^HTTP\/1.1 404 /);
  expect(readdirSync(join(folder, 'data/images/quarantine'))).toEqual([large.digest]);
  await expect
    .poll(async () => await curl(`${base}/readyz`), { timeout: 10_000 })
    .toContain('damaged files of images: 1');
}

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
    await takesUploads();
    process.kill(pid, 'SIGKILL');
    await expect.poll(() => server.output(), { timeout: 10_000 }).toContain('nginx ended, it is started again');
    const url = `${base}/images/sha256/${imageDigest()}`;
    await expect
      .poll(async () => await curl('-o', '/dev/null', '-w', '%{http_code}', url), { timeout: 15_000 })
      .toBe('200');
    // nginx takes this name for the image's; the process that streams does not, and must not send it round in a circle.
    const [first = ''] = imageDigest();
    const encoded = url.replace(/[0-9a-f]{64}/, `%${first.charCodeAt(0).toString(16)}${imageDigest().slice(1)}`);
    expect(await curl('-i', encoded)).toMatch(/^HTTP\/1.1 404 no image has this name/);
    // While the process that streams starts again, the main one keeps the requests.
    process.kill(streamProcess(), 'SIGKILL');
    expect(await curl('-o', '/dev/null', '-w', '%{http_code}', url)).toBe('200');
    const next = Number(readFileSync(join(folder, 'data/nginx/nginx.pid'), 'utf8'));
    expect(next).not.toBe(pid);
    await server.end('SIGTERM');
    expect(() => process.kill(next, 0)).toThrow('ESRCH');
  }, 120_000);

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
  await takesUploads();
  nginx.kill('SIGTERM');
  await gone;
  await server.end('SIGTERM');
}, 120_000);
