import { expect, test } from 'vitest';
import { damagedImagesCheck, judgeDamaged } from '../../../server/cli/checks/images.js';
import { unauthorized } from '../../../server/domain/errors.js';

const image = (version: string, usedBy: readonly unknown[] = []) => ({
  name: 'base',
  version,
  damaged: ['rootfs'],
  usedBy: [...usedBy],
});

test('nothing damaged; what nobody uses is a warning; what a boot needs is a failure', () => {
  expect(judgeDamaged([])).toMatchObject({ state: 'ok' });
  expect(judgeDamaged([image('1')])).toMatchObject({
    state: 'warning',
    message: 'damaged and not served: base:1 (rootfs)',
    remedy: expect.stringContaining('image import'),
  });
  expect(judgeDamaged([image('1'), image('2', [{ kind: 'system', name: 'web' }])])).toMatchObject({ state: 'failed' });
  const many = Array.from({ length: 6 }, (_, version) => image(String(version)));
  expect(judgeDamaged(many).message).toMatch(/, and 2 more$/);
});

test('a server that does not let us ask is no failure of this computer', async () => {
  const check = await damagedImagesCheck({ get: () => Promise.reject(unauthorized('no token')) });
  expect(check).toMatchObject({ state: 'skipped', message: 'whether images are damaged is not known: no token' });
});
