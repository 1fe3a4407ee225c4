import { expect, test } from 'vitest';
import { webDir } from '../../server/paths.js';

// The page has no build step and no types: its modules are loaded as the browser loads them.
const format = (await import(`${webDir}/format.js`)) as {
  bytes(count: number): string;
  duration(milliseconds: number): string;
  offset(milliseconds: number): string;
};

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [8_000_000, '8.0 MB'],
  [123_456_789, '123 MB'],
  [17_179_869_184, '17.2 GB'],
  [5e15, '5000 TB'],
])('%d bytes are shown as %s', (count, text) => expect(format.bytes(count)).toBe(text));

test.each([
  [-5, '0 s'],
  [7999, '7 s'],
  [65_000, '1:05'],
  [7_384_000, '2:03:04'],
  [400_000_000, '4 d'],
])('%d ms are shown as %s', (milliseconds, text) => expect(format.duration(milliseconds)).toBe(text));

test('events before the first DISCOVER have a minus', () => {
  expect(format.offset(12_340)).toBe('+12.34 s');
  expect(format.offset(-10)).toBe('−0.01 s');
});
