import { expect, test } from 'vitest';
import { toNetascii } from '../../../server/wire/tftp/netascii.js';

const rows: Record<string, [text: string, sent: string]> = {
  nothing: ['', ''],
  'lines as on Unix': ['a\nb\n', 'a\r\nb\r\n'],
  'lines as on Windows': ['a\r\nb', 'a\r\0\r\nb'],
  'a carriage return alone': ['a\rb', 'a\r\0b'],
};
test.each(Object.entries(rows))('netascii: %s', (_, [text, sent]) => {
  expect(Buffer.from(toNetascii(Buffer.from(text))).toString('latin1')).toBe(sent);
});
