import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';

/** Compares with the file; UPDATE_GOLDEN=1 writes the file instead. */
export function expectGolden(file: string, text: string): void {
  if (process.env.UPDATE_GOLDEN === '1') writeFileSync(file, text);
  expect(text).toBe(readFileSync(file, 'utf8'));
}
