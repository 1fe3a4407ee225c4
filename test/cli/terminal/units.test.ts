import { expect, test } from 'vitest';
import {
  formatAge,
  formatBytes,
  formatBytesOf,
  formatDuration,
  percentOf,
} from '../../../server/cli/terminal/units.js';

test.each([
  [0, '0 B'],
  [512, '512 B'],
  [1023, '1023 B'],
  [1024, '1.0 KiB'],
  [7.9 * 1024 ** 2, '7.9 MiB'],
  [1024 ** 2 - 1, '1.0 MiB'],
  [250 * 1024 ** 3, '250 GiB'],
  [5000 * 1024 ** 4, '5000 TiB'],
])('formatBytes(%d) = %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test('bytes of a total share the unit of the total', () => {
  expect(formatBytesOf(512, 8 * 1024 ** 2)).toBe('0.0/8.0 MiB');
  expect(formatBytesOf(3, 4)).toBe('3/4 B');
});

test.each([
  [-5_000, '0 s'],
  [999, '0 s'],
  [59_999, '59 s'],
  [65_000, '1 m 05 s'],
  [3 * 3_600_000 + 12 * 60_000, '3 h 12 m'],
  [50 * 3_600_000, '2 d 02 h'],
])('formatDuration(%d) = %s', (milliseconds, text) => {
  expect(formatDuration(milliseconds)).toBe(text);
});

test('an age looks back, an expiry forward', () => {
  expect(formatAge(10_000, 70_000)).toBe('1 m 00 s ago');
  expect(formatAge(70_000, 10_000)).toBe('in 1 m 00 s');
});

test.each([
  [0, 0, 0],
  [999, 1000, 99],
  [1000, 1000, 100],
  [1, 3, 33],
])('percentOf(%d, %d) = %d', (bytes, total, percent) => {
  expect(percentOf(bytes, total)).toBe(percent);
});
