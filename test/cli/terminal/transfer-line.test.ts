import { expect, test } from 'vitest';
import { transferLine } from '../../../server/cli/terminal/transfer-line.js';

const MIB = 1024 * 1024;

test.each([
  [
    'rate and remaining time',
    { label: 'rootfs sending', bytes: 4 * MIB, total: 8 * MIB, elapsedMs: 2000 },
    100,
    'rootfs sending  [############------------]  4.0/8.0 MiB  50 %  2.0 MiB/s  ETA 2 s',
  ],
  [
    'no rate before it means something',
    { label: 'initrd', bytes: 1, total: 8 * MIB, elapsedMs: 10 },
    100,
    'initrd  [------------------------]  0.0/8.0 MiB  0 %',
  ],
  [
    'all there',
    { label: 'initrd', bytes: 8 * MIB, total: 8 * MIB, elapsedMs: 4000 },
    100,
    'initrd  [########################]  8.0/8.0 MiB  100 %  2.0 MiB/s',
  ],
  [
    'a pipe has no size',
    { label: 'rootfs', bytes: 3 * MIB, total: undefined, elapsedMs: 3000 },
    80,
    'rootfs  3.0 MiB  1.0 MiB/s',
  ],
  [
    'a usual terminal: a bar of what is left',
    { label: 'rootfs sending', bytes: 4 * MIB, total: 8 * MIB, elapsedMs: 2000 },
    72,
    'rootfs sending  [#######--------]  4.0/8.0 MiB  50 %  2.0 MiB/s  ETA 2 s',
  ],
  [
    'narrow: no bar',
    { label: 'rootfs', bytes: 4 * MIB, total: 8 * MIB, elapsedMs: 2000 },
    50,
    'rootfs  4.0/8.0 MiB  50 %  2.0 MiB/s  ETA 2 s',
  ],
])('%s', (_name, transfer, width, line) => {
  expect(transferLine(transfer, width)).toBe(line);
});
