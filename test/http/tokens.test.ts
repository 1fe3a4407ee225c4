import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ensureAdminToken } from '../../server/http/tokens.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'anybios-token-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

test('the first start writes a token for root only, later starts read it', async () => {
  const dataDir = join(dir, 'data');
  const token = await ensureAdminToken(dataDir);
  expect(token).toMatch(/^[\w-]{43}$/);
  expect(statSync(join(dataDir, 'admin.token')).mode & 0o777).toBe(0o600);
  expect(await ensureAdminToken(dataDir)).toBe(token);
  expect(readdirSync(dataDir)).toEqual(['admin.token']);
});

test('two servers that start at once agree on one token', async () => {
  const tokens = await Promise.all(Array.from({ length: 8 }, () => ensureAdminToken(dir)));
  expect(new Set(tokens).size).toBe(1);
  expect(readdirSync(dir)).toEqual(['admin.token']);
});

test('a file that others could read is closed again', async () => {
  writeFileSync(join(dir, 'admin.token'), 'a-token-that-a-person-chose-long-enough\n', { mode: 0o644 });
  expect(await ensureAdminToken(dir)).toBe('a-token-that-a-person-chose-long-enough');
  expect(statSync(join(dir, 'admin.token')).mode & 0o777).toBe(0o600);
});

test('a file without a token is an error with a remedy, not an open door', async () => {
  writeFileSync(join(dir, 'admin.token'), '\n');
  await expect(ensureAdminToken(dir)).rejects.toMatchObject({
    code: 'invalid',
    remedy: expect.stringContaining('delete'),
  });
});
