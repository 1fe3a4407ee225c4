import { describe, expect, test } from 'vitest';
import { negotiate, type TransferTerms } from '../../server/decide/tftp-negotiate.js';
import type { TftpOption } from '../../server/wire/tftp/packet.js';

/** `blksize=1024 tsize=0` */
function options(text: string): TftpOption[] {
  return text
    .split(' ')
    .filter((part) => part !== '')
    .map((part) => ({ name: part.split('=')[0] ?? '', value: part.split('=')[1] ?? '' }));
}

type Row = [asked: string, answered: string, terms: Partial<TransferTerms>];

describe('only what was asked is answered, as it was asked', () => {
  const rows: Record<string, Row> = {
    'nothing asked': ['', '', { blockSize: 512, windowSize: 1 }],
    'the order of the request': [
      'tsize=0 blksize=1024 timeout=3',
      'tsize=70000 blksize=1024 timeout=3',
      { blockSize: 1024, timeoutSeconds: 3 },
    ],
    'names without case, in the spelling of the request': [
      'BLKSIZE=1468 TSize=0',
      'BLKSIZE=1468 TSize=70000',
      { blockSize: 1468 },
    ],
    'an option nobody knows': ['x-secure=1 tsize=0 multicast=', 'tsize=70000', {}],
    'the first of two mentions': ['blksize=600 blksize=700', 'blksize=600', { blockSize: 600 }],
    'the smallest block': ['blksize=8', 'blksize=8', { blockSize: 8 }],
    'the largest block': ['blksize=65464', 'blksize=65464', { blockSize: 65_464 }],
    'too small a block is left out': ['blksize=7', '', { blockSize: 512 }],
    'too large a block gets the largest': ['blksize=65535', 'blksize=65464', { blockSize: 65_464 }],
    'blocks that are no number': ['blksize=abc tsize=-1', '', { blockSize: 512 }],
    'an empty number': ['blksize= timeout=', '', { blockSize: 512 }],
    'a number beyond all': ['blksize=99999999999999999999', '', { blockSize: 512 }],
    'a size that is not 0 is still a question': ['tsize=123', 'tsize=70000', {}],
    'a time-out of 0 s': ['timeout=0', '', {}],
    'a time-out of 256 s': ['timeout=256', '', {}],
    'a time-out of 255 s': ['timeout=255', 'timeout=255', { timeoutSeconds: 255 }],
    'a window': ['windowsize=16', 'windowsize=16', { windowSize: 16 }],
    'a window larger than ours': ['windowsize=65535', 'windowsize=64', { windowSize: 64 }],
    'no window at all': ['windowsize=0', '', { windowSize: 1 }],
  };
  test.each(Object.entries(rows))('%s', (_, [asked, answered, terms]) => {
    const { accepted, ...rest } = negotiate(options(asked), 70_000);
    expect(accepted).toEqual(options(answered));
    expect(rest).toEqual({ blockSize: 512, windowSize: 1, ...terms });
  });
});

test('curl: the size of an empty file is not announced', () => {
  expect(negotiate(options('tsize=0 blksize=512'), 0).accepted).toEqual(options('blksize=512'));
});

test('the limits are those of the path to the client', () => {
  const limits = { blockSize: 1400, windowSize: 4 };
  expect(negotiate(options('blksize=1468 windowsize=8'), 1, limits)).toMatchObject({
    blockSize: 1400,
    windowSize: 4,
    accepted: options('blksize=1400 windowsize=4'),
  });
});
