import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { parseDigest } from '../../server/domain/digest.js';
import { SEAL_SECONDS } from '../../server/images/seal.js';
import { startApi, type TestApi } from '../support/api.js';
import { mac } from '../support/boot-core.js';
import { seededBytes } from '../support/tftp-random.js';

// Each test starts a process; a busy machine takes its time for that.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let api: TestApi;
let dir: string;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'anybios-upkeep-'));
  api = await startApi({ imagesDir: dir });
});
afterEach(async () => {
  await api.close();
  rmSync(dir, { recursive: true });
});

const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');
const isHere = (text: string): boolean => existsSync(join(dir, 'sha256', sha256(text)));
const upload = async (text: string): Promise<string> =>
  ((await (await api.call('POST', '/api/v1/image-files', text)).json()) as { digest: string }).digest;

async function make(name: string, version: string, text: string, tags?: readonly string[]): Promise<void> {
  const body = { kind: 'rootfs', files: { rootfs: await upload(text) }, ...(tags === undefined ? {} : { tags }) };
  expect((await api.json('PUT', `/api/v1/images/${name}/${version}`, body)).status).toBe(200);
}

const get = async (path: string) => (await api.json('GET', `/api/v1${path}`)).body;
const gc = async (body: object) =>
  (await api.json('POST', '/api/v1/image-gc', body)).body as {
    removed: { image: string }[];
    kept: { image: string; why: string }[];
    files: { digest: string }[];
  };

/** Starts a task and waits for its end. */
async function task(path: string, body: object): Promise<Record<string, unknown>> {
  const started = (await api.json('POST', `/api/v1${path}`, body)).body as { id: string };
  return await vi.waitFor(
    async () => {
      const now = (await get(`/image-tasks/${started.id}`)) as Record<string, unknown>;
      expect(now.state).not.toBe('running');
      return now;
    },
    { timeout: 60_000, interval: 50 },
  );
}

describe('tags', () => {
  test('every move is kept with who and from where; a roll-back is one move more', async () => {
    await make('site', '1', 'one');
    await make('site', '2', 'two', ['stable', 'next']);
    await api.json('PUT', '/api/v1/images/site/tags/stable', { version: '1' });
    await api.json('DELETE', '/api/v1/images/site/tags/next');
    const { items } = (await get('/images/site/tags')) as { items: object[] };
    expect(items).toMatchObject([
      { tag: 'next', from: '2', by: 'admin' },
      { tag: 'stable', from: '2', to: '1', by: 'admin' },
      { tag: 'next', to: '2' },
      { tag: 'stable', from: '1', to: '2' },
      { tag: 'stable', to: '1' },
    ]);
    expect(await api.core.kinds()).toEqual(expect.arrayContaining(['image.tagged', 'image.untagged']));
  });

  test('a tag that something is named by stays', async () => {
    await make('site', '1', 'one');
    await api.json('PATCH', '/api/v1/systems/db', { image: 'site' });
    expect(await api.json('DELETE', '/api/v1/images/site/tags/stable')).toMatchObject({
      status: 409,
      body: { error: { message: 'system db names site:stable' } },
    });
  });
});

describe('gc', () => {
  test('shows first; removes what has no tag, no user and is no way back', async () => {
    await make('site', '1', 'one');
    await make('site', '2', 'two', ['stable']);
    await make('site', '3', 'three', ['stable']);
    const dry = await gc({ minAgeHours: 0 });
    expect(dry.removed.map(({ image }) => image)).toEqual(['site:1']);
    expect(dry.kept).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ image: 'site:2', why: 'was stable before, for a roll-back' }),
        expect.objectContaining({ image: 'site:3', why: 'tag stable' }),
      ]),
    );
    expect(isHere('one')).toBe(true);
    await gc({ minAgeHours: 0, dryRun: false });
    expect([isHere('one'), isHere('two'), isHere('three')]).toEqual([false, true, true]);
    expect((await api.json('GET', '/api/v1/images/site/1')).status).toBe(404);
  });

  test('a machine that boots or runs from a version keeps it, whatever the tags say', async () => {
    await make('site', '1', 'one');
    await make('site', '2', 'two', ['stable']);
    await make('site', '3', 'three', ['stable']);
    api.core.sessions.open({ key: 'node1', mac: mac, machine: 'node1', firmware: 'bios' });
    api.core.sessions.loads('node1', ['site:1']);
    expect((await gc({ minAgeHours: 0, dryRun: false })).removed).toEqual([]);
    expect(isHere('one')).toBe(true);
    expect(await api.json('DELETE', '/api/v1/images/site/1')).toMatchObject({
      status: 409,
      body: { error: { message: 'site:1 is used by machine node1' } },
    });
  });

  test('imports while it runs: no image is made whose file is gone', async () => {
    const rounds = Array.from({ length: 12 }, (_, index) => `text ${index}`);
    const importing = (async () => {
      for (const [index, text] of rounds.entries()) await make('race', `v${index}`, text, ['stable', `t${index}`]);
    })();
    let done = false;
    const watched = importing.finally(() => {
      done = true;
    });
    while (!done) await gc({ minAgeHours: 0, dryRun: false });
    await watched;
    for (const [index, text] of rounds.entries()) {
      expect((await api.json('GET', `/api/v1/images/race/v${index}`)).status).toBe(200);
      expect(isHere(text), text).toBe(true);
    }
  });

  test('an uploaded file that no image has stays for its hour', async () => {
    await upload('lonely');
    expect((await gc({ minAgeHours: 0, dryRun: false })).files).toEqual([]);
    expect(isHere('lonely')).toBe(true);
  });
});

describe('damage', () => {
  const path = (text: string): string => join(dir, 'sha256', sha256(text));

  test('rot without a write is found by verify, quarantined, told, and healed by the same bytes', async () => {
    await make('site', '1', 'some bytes');
    const mtime = new Date(SEAL_SECONDS * 1000);
    rmSync(path('some bytes'));
    writeFileSync(path('some bytes'), 'same bytes');
    utimesSync(path('some bytes'), mtime, mtime);
    const result = await task('/image-checks', {});
    expect(result).toMatchObject({ state: 'done' });
    expect(result.verified).toContainEqual({ digest: sha256('some bytes'), state: 'damaged', images: ['site:1'] });
    expect(readdirSync(join(dir, 'quarantine'))).toEqual([sha256('some bytes')]);
    expect(await get('/images/site/1')).toMatchObject({ damaged: ['rootfs'] });
    expect(await api.core.kinds()).toContain('image.damaged');
    expect(await get('/images?damaged=1')).toMatchObject({ items: [{ name: 'site', version: '1' }] });
    // It is ready all the same: whatever else it serves, it serves.
    const ready = await fetch(`${api.url}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([
      200,
      'ready\ndamaged files of images: 1 (anybios image list --damaged)\n',
    ]);
    expect(await (await fetch(`${api.url}/metrics`)).text()).toContain('\nanybios_images_damaged 1\n');
    await upload('some bytes');
    await vi.waitFor(async () => expect(await get('/images/site/1')).toMatchObject({ damaged: [] }), {
      timeout: 60_000,
    });
    expect(await api.core.kinds()).toContain('image.healed');
    expect(await get('/images?damaged=1')).toEqual({ items: [] });
    expect(await (await fetch(`${api.url}/readyz`)).text()).toBe('ready\n');
  });

  test('a file that was written to is noticed without a verification, before anybody gets it', async () => {
    await make('site', '1', 'some bytes');
    truncateSync(path('some bytes'), 4);
    expect(await api.deps.images.size(parseDigest(sha256('some bytes')))).toBe(4);
    expect(await api.keeper?.pathOf(parseDigest(sha256('some bytes')))).toBeUndefined();
    await vi.waitFor(async () => expect(await get('/images/site/1')).toMatchObject({ damaged: ['rootfs'] }), {
      timeout: 60_000,
    });
  });
});

describe('downloads', () => {
  const bytes = seededBytes(7, 3_000_000);
  const servers: Server[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });
  const serve = async (listener: RequestListener): Promise<string> => {
    const server = createServer(listener);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };

  test('a connection that breaks is gone on with, by Range; where it came from is told', async () => {
    const ranges: (string | undefined)[] = [];
    const url = await serve((request, response) => {
      if (request.url === '/moved') {
        response.writeHead(302, { Location: '/file' }).end();
        return;
      }
      const { range } = request.headers;
      ranges.push(range);
      const first = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
      const headers = { ETag: '"v1"', 'Content-Length': bytes.length - first };
      if (range === undefined) response.writeHead(200, headers);
      else
        response.writeHead(206, { ...headers, 'Content-Range': `bytes ${first}-${bytes.length - 1}/${bytes.length}` });
      if (ranges.length > 1) response.end(bytes.subarray(first));
      else response.write(bytes.subarray(0, 1_000_000), () => setImmediate(() => request.socket.destroy()));
    });
    const done = await task('/image-fetches', { url: `${url}/moved`, digest: sha256(bytes) });
    expect(done).toMatchObject({
      state: 'done',
      fetched: { digest: sha256(bytes), size: bytes.length, url: `${url}/file`, address: '127.0.0.1' },
    });
    expect(ranges[0]).toBeUndefined();
    expect(ranges[1]).toMatch(/^bytes=[1-9]\d*-$/);
    expect(readdirSync(join(dir, 'partial'))).toEqual([]);
    expect(await api.core.kinds()).toContain('image.fetched');
  });

  test.each(['done', 'failed'])('the key of a signed URL is told to nobody: %s', async (state) => {
    const url = (
      await serve((_request, response) => {
        if (state === 'failed') response.writeHead(403);
        response.end('x');
      })
    ).replace('//', '//user:pw-7531@');
    const ended = await task('/image-fetches', { url: `${url}/x?X-Signature=secret#part` });
    expect(ended).toMatchObject({ state });
    const { items } = (await get('/events')) as { items: unknown[] };
    const told = JSON.stringify([ended, items]);
    expect(told).toContain('/x?…');
    for (const secret of ['secret', 'pw-7531', 'part']) expect(told).not.toContain(secret);
  });

  test.each<[string, object, RequestListener, string]>([
    ['larger than allowed', { maxBytes: 10 }, (_request, response) => void response.end('x'.repeat(100)), '10'],
    ['other bytes', { digest: sha256('other') }, (_request, response) => void response.end('x'), 'sha256'],
    ['not there', {}, (_request, response) => void response.writeHead(404).end(), '404'],
    [
      'in a circle',
      {},
      (_request, response) => void response.writeHead(301, { Location: '/again' }).end(),
      'redirects more than',
    ],
    [
      'to a file',
      {},
      (_request, response) => void response.writeHead(301, { Location: 'file:///etc/passwd' }).end(),
      'not a URL',
    ],
  ])('refused: %s', async (_name, body, listener, words) => {
    const url = await serve(listener);
    const ended = await task('/image-fetches', { url: `${url}/x`, ...body });
    expect(ended).toMatchObject({ state: 'failed', error: { message: expect.stringContaining(words) } });
    expect(readdirSync(join(dir, 'sha256'))).toEqual([]);
    expect(readdirSync(join(dir, 'partial'))).toEqual([]);
  });
});
