import { describe, expect, test } from 'vitest';
import { type Download, type DownloadHeaders, decideDownload } from '../../server/images/download.js';

const TAG = '"abc"';
const SIZE = 1000;
const whole: Download = { status: 200, first: 0, last: 999 };
const part = (first: number, last: number): Download => ({ status: 206, first, last });

describe('GET of 1,000 bytes with the tag "abc"', () => {
  const rows: Record<string, [headers: DownloadHeaders, answer: Download]> = {
    'nothing special': [{}, whole],
    'the first byte': [{ range: 'bytes=0-0' }, part(0, 0)],
    'from the middle on': [{ range: 'bytes=500-' }, part(500, 999)],
    'beyond the end is cut there': [{ range: 'bytes=990-5000' }, part(990, 999)],
    'the last ten': [{ range: 'bytes=-10' }, part(990, 999)],
    'more than the last of all': [{ range: 'bytes=-5000' }, part(0, 999)],
    'spaces and capitals': [{ range: ' Bytes = 1 - 2 ' }, part(1, 2)],
    'the end, where nothing is': [
      { range: 'bytes=1000-' },
      { status: 416, reason: 'the file has 1000 bytes, the range starts at 1000' },
    ],
    'the last none': [{ range: 'bytes=-0' }, { status: 416, reason: 'the last 0 bytes are nothing' }],
    'two ranges': [
      { range: 'bytes=0-1,5-6' },
      { status: 416, reason: 'one range at a time: ask for the others in requests of their own' },
    ],
    'backwards is broken, so ignored': [{ range: 'bytes=5-1' }, whole],
    'no numbers': [{ range: 'bytes=-' }, whole],
    words: [{ range: 'bytes=a-b' }, whole],
    'another unit': [{ range: 'lines=1-2' }, whole],
    'an end beyond all': [{ range: `bytes=0-${'9'.repeat(40)}` }, part(0, 999)],
    'a start beyond all': [
      { range: `bytes=${'9'.repeat(40)}-` },
      { status: 416, reason: 'the file has 1000 bytes, the range starts at 1e+40' },
    ],
    'If-Range with our tag': [{ range: 'bytes=1-2', 'if-range': TAG }, part(1, 2)],
    'If-Range with another tag': [{ range: 'bytes=1-2', 'if-range': '"old"' }, whole],
    'If-Range with a weak tag': [{ range: 'bytes=1-2', 'if-range': `W/${TAG}` }, whole],
    'If-Range with a date': [{ range: 'bytes=1-2', 'if-range': 'Sat, 21 Nov 2026 00:00:00 GMT' }, whole],
    'If-None-Match with our tag': [{ 'if-none-match': `"x", ${TAG}` }, { status: 304 }],
    'If-None-Match with our tag, weak': [{ 'if-none-match': `W/${TAG}` }, { status: 304 }],
    'If-None-Match with anything': [{ 'if-none-match': '*' }, { status: 304 }],
    'If-None-Match with another tag': [{ 'if-none-match': '"x"', range: 'bytes=1-2' }, part(1, 2)],
    'If-Match with our tag': [{ 'if-match': TAG }, whole],
    'If-Match with another tag': [{ 'if-match': '"x"', 'if-none-match': TAG }, { status: 412 }],
  };
  test.each(Object.entries(rows))('%s', (_, [headers, answer]) => {
    expect(decideDownload('GET', headers, SIZE, TAG)).toEqual(answer);
  });
});

test('HEAD takes no notice of Range', () => {
  expect(decideDownload('HEAD', { range: 'bytes=0-1' }, SIZE, TAG)).toEqual(whole);
  expect(decideDownload('HEAD', { 'if-none-match': TAG }, SIZE, TAG)).toEqual({ status: 304 });
});

test('an empty file has no ranges', () => {
  expect(decideDownload('GET', {}, 0, TAG)).toEqual({ status: 200, first: 0, last: -1 });
  expect(decideDownload('GET', { range: 'bytes=0-' }, 0, TAG)).toMatchObject({ status: 416 });
  expect(decideDownload('GET', { range: 'bytes=-5' }, 0, TAG)).toMatchObject({ status: 416 });
});
