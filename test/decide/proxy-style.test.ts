import { expect, test } from 'vitest';
import { afterOffer, type StyleMemory, usualStyle } from '../../server/decide/proxy-style.js';

test.each([
  ['no architecture: an old BIOS ROM', undefined, 'first-offer'],
  ['BIOS', 0, 'first-offer'],
  ['x64 UEFI', 7, 'second-leg'],
  ['x64 UEFI as 9', 9, 'second-leg'],
  ['ARM 64-bit UEFI', 11, 'second-leg'],
] as const)('the usual style: %s', (_name, arch, style) => {
  expect(usualStyle(arch)).toBe(style);
});

function offers(memory: StyleMemory, count: number): string {
  const styles: string[] = [];
  for (let i = 0, now = memory; i < count; i++) {
    styles.push(now.style === 'first-offer' ? 'A' : 'B');
    now = afterOffer(now).memory;
  }
  return styles.join('');
}

test('two offers that lead nowhere, then the other style, and back', () => {
  expect(offers({ style: 'first-offer', proven: false, offers: 0 }, 8)).toBe('AABBAABB');
});

test('a style that has worked is tried four times', () => {
  expect(offers({ style: 'second-leg', proven: true, offers: 0 }, 8)).toBe('BBBBAABB');
});
