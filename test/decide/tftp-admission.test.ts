import { expect, test } from 'vitest';
import { refuseTransfer, slowestTransfer } from '../../server/decide/tftp-admission.js';

const limits = { total: 100, perAddress: 4 };

const loads: Record<string, [total: number, ofAddress: number, refusal: string | undefined]> = {
  'room for one more': [99, 3, undefined],
  'one address has what it may have': [50, 4, '4 transfers to your address are running: try again'],
  'all places are taken': [100, 0, '100 transfers are running: try again'],
};
test.each(Object.entries(loads))('%s', (_, [total, ofAddress, refusal]) => {
  expect(refuseTransfer({ total, ofAddress }, limits)).toBe(refusal);
});

const paces: Record<string, [transfers: { bytes: number; seconds: number }[], index: number | undefined]> = {
  'nobody runs': [[], undefined],
  'all make their way': [[{ bytes: 1 << 20, seconds: 100 }], undefined],
  'slow, but only since a moment ago': [[{ bytes: 0, seconds: 59 }], undefined],
  'the slowest of two that crawl': [
    [
      { bytes: 5000, seconds: 100 },
      { bytes: 4000, seconds: 100 },
      { bytes: 0, seconds: 10 },
    ],
    1,
  ],
};
test.each(Object.entries(paces))('%s', (_, [transfers, index]) => {
  expect(slowestTransfer(transfers)).toBe(index === undefined ? undefined : transfers[index]);
});
