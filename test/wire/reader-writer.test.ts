import { describe, expect, test } from 'vitest';
import { Reader } from '../../server/wire/reader.js';
import { WireError } from '../../server/wire/wire-error.js';
import { Writer } from '../../server/wire/writer.js';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

describe('what was written is read back', () => {
  test('every kind of field, in order', () => {
    const writer = new Writer(1500);
    writer.u8(255, 'a');
    writer.u16(0x1234, 'b');
    writer.u32(0xfffffffe, 'c');
    writer.nulTerminated(bytes('octet'), 'd');
    writer.padded(bytes('xy'), 4, 'e');
    writer.bytes(bytes('tail'), 'f');
    const reader = new Reader(writer.finish());
    expect(reader.u8('a')).toBe(255);
    expect(reader.u16('b')).toBe(0x1234);
    expect(reader.u32('c')).toBe(0xfffffffe);
    expect(text(reader.untilNul(10, 'd'))).toBe('octet');
    expect(Array.from(reader.bytes(4, 'e'))).toEqual([120, 121, 0, 0]);
    expect(text(reader.rest())).toBe('tail');
    expect(reader.remaining).toBe(0);
  });

  test('a writer grows from its first size up to its limit', () => {
    const writer = new Writer(5000);
    for (let i = 0; i < 5000; i++) writer.u8(i & 255, 'data');
    expect(writer.finish()).toHaveLength(5000);
    expect(writer.finish()[4999]).toBe(4999 & 255);
    expect(writer.room).toBe(0);
  });

  test('zerosUntil pads a short packet and leaves a long one', () => {
    const writer = new Writer(300);
    writer.u8(7, 'x');
    writer.zerosUntil(300, 'padding');
    writer.zerosUntil(10, 'padding');
    expect(writer.length).toBe(300);
  });
});

describe('what does not fit is an error that names the field and the limit', () => {
  const cases: Record<string, () => void> = {
    'xid: needs 4 bytes at offset 0, the packet has 3 left': () => new Reader(new Uint8Array(3)).u32('xid'),
    'name: is not ended by a NUL byte': () => new Reader(bytes('abc')).untilNul(9, 'name'),
    'name: is 3 bytes long, at most 2 are allowed': () => new Reader(bytes('abc\0')).untilNul(2, 'name'),
    'block: 65536 is not a whole number from 0 to 65535': () => new Writer(9).u16(65536, 'block'),
    'block: -1 is not a whole number from 0 to 255': () => new Writer(9).u8(-1, 'block'),
    'file: is 3 bytes long, at most 2 fit': () => new Writer(9).padded(bytes('abc'), 2, 'file'),
    'file: needs 4 bytes at offset 0, the packet may have 3 in all': () =>
      new Writer(3).nulTerminated(bytes('abc'), 'file'),
    'file: holds a NUL byte': () => new Writer(9).nulTerminated(bytes('a\0b'), 'file'),
  };
  test.each(Object.entries(cases))('%s', (message, run) => {
    expect(run).toThrow(new WireError(message.split(': ')[0] ?? '', message.slice(message.indexOf(': ') + 2)));
  });

  test('a reader over a slice of a larger buffer stays inside the slice', () => {
    const reader = new Reader(new Uint8Array([1, 2, 3, 4]).subarray(1, 3));
    expect(reader.u16('v')).toBe(0x0203);
    expect(() => reader.u8('w')).toThrow(WireError);
  });
});
