import { expect, test } from 'vitest';
import { chooseVariant } from '../../server/images/encodings.js';

const rows: Record<string, [accept: string | undefined, tried: string[]]> = {
  'a boot loader says nothing': [undefined, []],
  'curl --compressed': ['deflate, gzip, br, zstd', ['zstd', 'gzip']],
  'gzip only': ['GZIP', ['gzip']],
  'the old name': ['x-gzip;q=0.5', ['gzip']],
  'one that is forbidden': ['zstd;q=0, gzip; q=0.1', ['gzip']],
  'all forbidden': ['zstd;q=0.000,gzip;q=0', []],
  anything: ['*', []],
  'nothing but itself': ['identity', []],
  rubbish: [',;=,', []],
};
test.each(Object.entries(rows))('%s', (_, [accept, tried]) => {
  expect(chooseVariant(accept)).toEqual(tried);
});
