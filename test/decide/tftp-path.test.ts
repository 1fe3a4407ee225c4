import { expect, test } from 'vitest';
import { nextSmallerBlock } from '../../server/decide/tftp-path.js';

test.each([
  [65_464, 8192],
  [8192, 1428],
  [1468, 1428],
  [1432, 1428],
  [1428, 1380],
  [1380, 1024],
  [1024, 512],
  [512, 512],
  [8, 8],
])('blocks of %i bytes did not come through: %i', (size, next) => {
  expect(nextSmallerBlock(size)).toBe(next);
});
