import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SlowLook } from '../../server/boot/slow-look.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const all = new Set(Array.from({ length: 250 }, (_, i) => i));

test('a hundred at a time, all of them, once; another look begins only then', () => {
  const look = new SlowLook();
  const seen: number[] = [];
  let ends = 0;
  const begin = (): void =>
    look.begin(
      all,
      (one) => seen.push(one),
      () => ends++,
    );
  begin();
  expect(seen).toHaveLength(100);
  begin();
  vi.advanceTimersByTime(5);
  expect(seen).toHaveLength(200);
  expect(ends).toBe(0);
  vi.advanceTimersByTime(5);
  expect(seen).toEqual([...all]);
  expect(ends).toBe(1);
  begin();
  vi.advanceTimersByTime(100);
  expect(seen).toEqual([...all, ...all]);
});

test('what comes and goes meanwhile does no harm; the end leaves the rest out', () => {
  const look = new SlowLook();
  const some = new Set(all);
  const seen: number[] = [];
  look.begin(some, (one) => seen.push(one));
  some.delete(150);
  some.add(1000);
  vi.advanceTimersByTime(100);
  expect(seen).toEqual([...all].filter((one) => one !== 150).concat(1000));
  seen.length = 0;
  look.begin(some, (one) => seen.push(one));
  look.end();
  vi.advanceTimersByTime(100);
  expect(seen).toHaveLength(100);
});
