import { expect, test } from 'vitest';
import { planImport } from '../../server/cli/image-plan.js';

test('a root file system, with and without a version', () => {
  expect(planImport('web:2', { rootfs: 'web.squashfs' })).toEqual({
    name: 'web',
    version: '2',
    kind: 'rootfs',
    parts: [{ part: 'rootfs', option: '--rootfs', path: 'web.squashfs' }],
  });
  expect(planImport('web', { rootfs: '-' }).version).toBeUndefined();
});

test('a kernel is three files', () => {
  expect(planImport('kernel:6', { kernel: 'v', initrd: 'i', modules: 'm' }).parts.map(({ part }) => part)).toEqual([
    'vmlinuz',
    'initrd',
    'modules',
  ]);
});

test.each([
  ['nothing to import', 'web', {}, 'say what to import'],
  ['two kinds at once', 'web', { rootfs: 'a', kernel: 'b' }, 'say what to import'],
  ['a kernel without modules', 'k', { kernel: 'a', initrd: 'b' }, 'needs --modules'],
  ['a kernel from a pipe', 'k', { kernel: '-', initrd: 'b', modules: 'c' }, 'only --rootfs'],
  ['no name', ':1', { rootfs: 'a' }, 'is not an image'],
  ['an empty version', 'web:', { rootfs: 'a' }, 'is not an image'],
  ['a second colon', 'web:1:2', { rootfs: 'a' }, 'is not an image'],
])('%s is refused', (_name, reference, options, message) => {
  expect(() => planImport(reference, options)).toThrow(message);
});
