import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Store } from '../../server/domain/ports.js';
import { startApi, type TestApi } from '../support/api.js';
import { failingStore } from '../support/failing-store.js';

let api: TestApi;
let failing: Set<keyof Store>;
let dir: string;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'anybios-failing-'));
  api = await startApi({
    imagesDir: dir,
    wrapStore: (real) => {
      const wrapped = failingStore(real);
      failing = wrapped.failing;
      return wrapped.store;
    },
  });
});
afterEach(async () => {
  await api.close();
  rmSync(dir, { recursive: true });
});

const digest = createHash('sha256').update('one').digest('hex');
const image = { kind: 'rootfs', files: { rootfs: digest } };
const rows: readonly (readonly [keyof Store, string, string, unknown, number])[] = [
  ['applyDesired', 'PATCH', '/machines/node1', { labels: { rack: 'r9' } }, 200],
  ['applyDesired', 'PUT', '/machines/node2', { macs: ['52:54:00:00:00:02'] }, 200],
  ['applyDesired', 'DELETE', '/machines/node1', undefined, 204],
  ['applyDesired', 'POST', '/apply', 'machines: [{ name: node2, macs: ["52:54:00:00:00:02"] }]', 200],
  ['saveImage', 'PUT', '/images/site/1', image, 200],
  ['tagImage', 'PUT', '/images/base/tags/next', { version: '1' }, 200],
  ['removeImage', 'DELETE', '/images/old/1', undefined, 204],
  ['saveToken', 'POST', '/tokens', { name: 'new' }, 201],
  ['removeToken', 'DELETE', '/tokens/ci', undefined, 204],
  ['events', 'GET', '/events', undefined, 200],
  ['sessions', 'GET', '/boots', undefined, 200],
  ['session', 'GET', '/boots/none', undefined, 404],
];

describe('when the disk is full: 503, nothing in memory changes, and the same request works later', () => {
  test.each(rows)('%s: %s %s', async (call, method, path, body, later) => {
    await api.json('POST', '/api/v1/tokens', { name: 'ci' });
    await api.call('POST', '/api/v1/image-files', 'one');
    await api.json('PUT', '/api/v1/images/old/1', { ...image, tags: [] });
    const everything = async () =>
      await Promise.all(
        ['/machines', '/roles', '/systems', '/images', '/tokens', `/image-files/${digest}`].map((list) =>
          api.json('GET', `/api/v1${list}`),
        ),
      );
    const before = await everything();
    failing.add(call);
    for (let times = 0; times < 2; times += 1) {
      expect(await api.json(method, `/api/v1${path}`, body)).toMatchObject({
        status: 503,
        body: { error: { code: 'unavailable' } },
      });
    }
    expect(await everything()).toEqual(before);
    expect(api.errors).toHaveLength(2);
    failing.clear();
    expect((await api.json(method, `/api/v1${path}`, body)).status).toBe(later);
  });
});

test('an unexpected failure is 500 and tells nothing of the inside', async () => {
  const { boot } = api.deps;
  api.core.views.explain = () => {
    throw new Error('secret path /root/x');
  };
  expect(boot).toBe(api.core.views);
  expect(await api.json('GET', '/api/v1/machines/node1/explain')).toEqual({
    status: 500,
    body: {
      error: { code: 'internal', message: 'the server failed to do this', remedy: 'see the log of the server' },
    },
  });
  expect(api.errors).toHaveLength(1);
});
