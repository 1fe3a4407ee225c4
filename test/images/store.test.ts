import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Digest, parseDigest } from '../../server/domain/digest.js';
import { createImageStore, type ImageStore } from '../../server/images/store.js';
import { seededBytes } from '../support/tftp-random.js';

let dir: string;
let store: ImageStore;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'fi-store-'));
  store = await createImageStore(dir);
});
afterEach(() => rm(dir, { recursive: true }));

const sha256 = (bytes: Buffer): Digest => parseDigest(createHash('sha256').update(bytes).digest('hex'));
const inPieces = (bytes: Buffer, piece: number): Readable =>
  Readable.from(
    (function* () {
      for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
    })(),
  );

describe('import', () => {
  test('bytes come out under their digest, readable by all, and nothing is left aside', async () => {
    const bytes = seededBytes(1, 300_001);
    const seen: number[] = [];
    const stored = await store.import(inPieces(bytes, 100_000), { onProgress: (count) => seen.push(count) });
    expect(stored).toEqual({ digest: sha256(bytes), size: bytes.length });
    expect(seen).toEqual([100_000, 200_000, 300_000, 300_001]);
    const found = await store.pathOf(stored.digest);
    expect(found).toEqual({ path: join(dir, 'sha256', stored.digest), size: bytes.length });
    expect((await readFile(join(dir, 'sha256', stored.digest))).equals(bytes)).toBe(true);
    expect((await stat(join(dir, 'sha256', stored.digest))).mode & 0o777).toBe(0o444);
    expect(await readdir(join(dir, 'incoming'))).toEqual([]);
  });

  test('an empty file', async () => {
    const stored = await store.import(Readable.from([]));
    expect(stored).toEqual({ digest: sha256(Buffer.alloc(0)), size: 0 });
    expect(await store.verify(stored.digest)).toBe('ok');
  });

  test('the same bytes twice, at the same time too, are one file', async () => {
    const bytes = seededBytes(2, 50_000);
    const [a, b] = await Promise.all([store.import(inPieces(bytes, 999)), store.import(inPieces(bytes, 4096))]);
    expect(a).toEqual(b);
    expect(await store.list()).toEqual([a]);
  });

  test('other bytes than expected are refused and leave nothing', async () => {
    const expectedDigest = sha256(Buffer.from('right'));
    await expect(store.import(Readable.from([Buffer.from('wrong')]), { expectedDigest })).rejects.toMatchObject({
      code: 'invalid',
      field: 'digest',
      message: expect.stringContaining(expectedDigest),
    });
    expect(await store.list()).toEqual([]);
    expect(await readdir(join(dir, 'incoming'))).toEqual([]);
  });

  test('a stream that breaks off leaves nothing', async () => {
    const broken = Readable.from(
      (async function* () {
        yield Buffer.from('half');
        throw new Error('the client went away');
      })(),
    );
    await expect(store.import(broken)).rejects.toThrow('the client went away');
    expect(await store.list()).toEqual([]);
    expect(await readdir(join(dir, 'incoming'))).toEqual([]);
  });

  test('a damaged file is whole again after the next import of the same bytes', async () => {
    const bytes = seededBytes(3, 10_000);
    const { digest } = await store.import(Readable.from([bytes]));
    await writeFile(join(dir, 'sha256', digest), Buffer.alloc(10_000));
    expect(await store.verify(digest)).toBe('damaged');
    expect(await store.quarantined()).toEqual([digest]);
    await store.import(Readable.from([bytes]));
    expect(await store.verify(digest)).toBe('ok');
    expect(await store.quarantined()).toEqual([]);
  });

  test('a file by its path', async () => {
    const path = join(dir, 'source');
    await writeFile(path, 'from a file');
    expect(await store.importFile(path)).toEqual({ digest: sha256(Buffer.from('from a file')), size: 11 });
    await expect(store.importFile(join(dir, 'gone'))).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await readdir(join(dir, 'incoming'))).toEqual([]);
  });
});

test('what an earlier server left half written is removed at the start, finished files stay', async () => {
  const stored = await store.import(Readable.from([Buffer.from('kept')]));
  await writeFile(join(dir, 'incoming', 'leftover'), 'half a fi');
  await writeFile(join(dir, 'sha256', 'README'), 'not ours');
  const again = await createImageStore(dir);
  expect(await readdir(join(dir, 'incoming'))).toEqual([]);
  expect(await again.list()).toEqual([stored]);
});

test('removing is final, and removing twice is fine', async () => {
  const { digest } = await store.import(Readable.from([Buffer.from('x')]));
  await store.remove(digest);
  await store.remove(digest);
  expect(await store.pathOf(digest)).toBeUndefined();
  expect(await store.size(digest)).toBeUndefined();
  expect(await store.verify(digest)).toBe('missing');
});

test('a clock that was set back keeps nobody from removing', async () => {
  const { digest } = await store.import(Readable.from([Buffer.from('x')]));
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 60_000 });
  try {
    expect(await store.remove(digest, { quietMs: 1000 })).toBe(false);
    expect(await store.remove(digest)).toBe(true);
  } finally {
    vi.useRealTimers();
  }
});
