import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { adminToken, startApi, type TestApi } from '../support/api.js';

let api: TestApi;
let dir: string;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'anybios-images-'));
  api = await startApi({ imagesDir: dir });
});
afterEach(async () => {
  await api.close();
  rmSync(dir, { recursive: true });
});

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');
const upload = async (text: string, query = '') =>
  (await (await api.call('POST', `/api/v1/image-files${query}`, text)).json()) as { digest: string; size: number };
const put = (path: string, body: object) => api.json('PUT', `/api/v1/images/${path}`, body);
const rootfs = async (text: string) => ({ kind: 'rootfs', files: { rootfs: (await upload(text)).digest } });
const isHere = (text: string): boolean => existsSync(join(dir, 'sha256', digestOf(text)));

describe('files', () => {
  test('an upload is known by its digest', async () => {
    expect(await upload('one')).toEqual({ digest: digestOf('one'), size: 3 });
    expect((await api.json('GET', `/api/v1/image-files/${digestOf('one')}`)).body).toEqual({
      digest: digestOf('one'),
      size: 3,
    });
    expect((await api.json('GET', `/api/v1/image-files/${digestOf('two')}`)).status).toBe(404);
    expect((await api.json('GET', '/api/v1/image-files/nonsense')).body).toMatchObject({ error: { code: 'invalid' } });
  });

  test('other bytes than announced are refused and not kept', async () => {
    expect(await api.json('POST', `/api/v1/image-files?digest=${digestOf('two')}`, 'one')).toMatchObject({
      status: 400,
      body: { error: { code: 'invalid', field: 'digest' } },
    });
    expect(readdirSync(join(dir, 'sha256'))).toEqual([]);
  });

  test('a client that leaves in the middle leaves nothing, and no error in the log', async () => {
    const { hostname, port } = new URL(api.url);
    const sending = request({
      hostname,
      port,
      method: 'POST',
      path: '/api/v1/image-files',
      headers: { authorization: `Bearer ${adminToken}`, 'content-length': 1_000_000 },
    });
    sending.on('error', () => undefined);
    sending.write('x'.repeat(100_000));
    await vi.waitFor(() => expect(readdirSync(join(dir, 'incoming'))).toHaveLength(1));
    sending.destroy();
    await vi.waitFor(() => expect(readdirSync(join(dir, 'incoming'))).toEqual([]));
    expect(readdirSync(join(dir, 'sha256'))).toEqual([]);
    expect(api.errors).toEqual([]);
  });

  test('an upload without a token is refused before it is read', async () => {
    const response = await fetch(`${api.url}/api/v1/image-files`, { method: 'POST', body: 'one' });
    expect(response.status).toBe(401);
    expect(readdirSync(join(dir, 'sha256'))).toEqual([]);
  });
});

describe('versions', () => {
  test('a kernel image appears with its three parts or not at all', async () => {
    const [vmlinuz, initrd, modules] = await Promise.all(
      ['k', 'i', 'm'].map(async (text) => (await upload(text)).digest),
    );
    expect(await put('linux/6.1', { kind: 'kernel', files: { vmlinuz, initrd } })).toMatchObject({
      status: 400,
      body: { error: { field: 'files.modules' } },
    });
    expect(
      await put('linux/6.1', { kind: 'kernel', files: { vmlinuz, initrd, modules: digestOf('other') } }),
    ).toMatchObject({
      status: 404,
      body: { error: { field: 'files.modules', remedy: expect.stringContaining('/image-files') } },
    });
    expect(
      await put('linux/6.1', { kind: 'kernel', files: { vmlinuz, initrd, modules, rootfs: vmlinuz } }),
    ).toMatchObject({
      status: 400,
      body: { error: { field: 'files.rootfs' } },
    });
    expect((await api.json('GET', '/api/v1/images/linux/6.1')).status).toBe(404);
    expect(await put('linux/6.1', { kind: 'kernel', files: { vmlinuz, initrd, modules } })).toMatchObject({
      status: 200,
      body: {
        name: 'linux',
        version: '6.1',
        kind: 'kernel',
        tags: ['stable'],
        files: [{ part: 'vmlinuz', size: 1 }, {}, {}],
      },
    });
    expect((await api.core.store.load()).images).toContainEqual(
      expect.objectContaining({ name: 'linux', tags: ['stable'] }),
    );
  });

  test('a version never changes: the same again is accepted, other files are a conflict', async () => {
    await put('site/1', await rootfs('one'));
    expect((await put('site/1', await rootfs('one'))).status).toBe(200);
    expect(await put('site/1', await rootfs('two'))).toMatchObject({
      status: 409,
      body: { error: { code: 'conflict' } },
    });
  });

  test('stable stays where it is until it is moved', async () => {
    await put('site/1', await rootfs('one'));
    expect((await put('site/2', await rootfs('two'))).body).toMatchObject({ tags: [] });
    expect(api.core.state.image('site')?.version).toBe('1');
    expect((await put('site/tags/stable', { version: '2' })).body).toMatchObject({ version: '2', tags: ['stable'] });
    expect(api.core.state.image('site')?.version).toBe('2');
    expect((await put('site/3', { ...(await rootfs('three')), tags: ['stable', 'next'] })).body).toMatchObject({
      tags: ['stable', 'next'],
    });
    const { body } = await api.json('GET', '/api/v1/images?name=site');
    expect((body as { items: object[] }).items).toMatchObject([
      { version: '1', tags: [] },
      { version: '2', tags: [] },
      { version: '3', tags: ['stable', 'next'] },
    ]);
    const stored = (await api.core.store.load()).images.filter(({ name }) => name === 'site');
    expect(Object.fromEntries(stored.map(({ version, tags }) => [version, tags.toSorted()]))).toEqual({
      1: [],
      2: [],
      3: ['next', 'stable'],
    });
    expect((await put('site/tags/2', { version: '3' })).status).toBe(409);
    expect((await put('site/tags/next', { version: '9' })).status).toBe(404);
  });

  test('a version in use is not removed; an unused one goes, with files that no other has', async () => {
    await put('site/1', await rootfs('one'));
    await put('site/2', { ...(await rootfs('two')), tags: [] });
    await put('copy/1', await rootfs('two'));
    await api.json('PATCH', '/api/v1/systems/db', { image: 'site' });
    expect(await api.json('DELETE', '/api/v1/images/site/1')).toMatchObject({
      status: 409,
      body: { error: { message: 'site:1 is used by system db' } },
    });
    expect((await api.json('DELETE', '/api/v1/images/site/2')).status).toBe(204);
    expect(isHere('two')).toBe(true);
    expect((await api.json('DELETE', '/api/v1/images/copy/1')).status).toBe(204);
    expect(isHere('two')).toBe(false);
    expect(isHere('one')).toBe(true);
    expect((await api.json('DELETE', '/api/v1/images/copy/1')).status).toBe(404);
    expect(await api.core.kinds()).toEqual(expect.arrayContaining(['image.imported', 'image.removed']));
  });

  test('names that could be read as something else are refused', async () => {
    for (const path of ['Site/1', 'site/..%2f1', '..%2fsite/1', 'site/a:b', 'site/%00']) {
      expect(await put(path, await rootfs('one')), path).toMatchObject({
        status: 400,
        body: { error: { code: 'invalid' } },
      });
    }
  });
});
