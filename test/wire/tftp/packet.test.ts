import { describe, expect, test } from 'vitest';
import { decodeTftp, encodeTftp, type TftpPacket, writeDataHeader } from '../../../server/wire/tftp/packet.js';
import { WireError } from '../../../server/wire/wire-error.js';
import { seededRandom } from '../../support/tftp-random.js';
import { cutAtEveryLength, expectRoundTrip, survives } from '../../support/wire-codec.js';

const latin = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

/** What real clients send, as they send it. */
const packets: Record<string, [bytes: string, value: TftpPacket]> = {
  'iPXE asks for its script': [
    '\0\x01autoexec.ipxe\0octet\0blksize\x001432\0tsize\x000\0',
    {
      kind: 'rrq',
      name: 'autoexec.ipxe',
      mode: 'octet',
      options: [
        { name: 'blksize', value: '1432' },
        { name: 'tsize', value: '0' },
      ],
    },
  ],
  'a plain RFC 1350 request, mode in capitals': [
    '\0\x01//grub/grub.cfg\0OCTET\0',
    { kind: 'rrq', name: '//grub/grub.cfg', mode: 'OCTET', options: [] },
  ],
  'an upload': ['\0\x02upload\0netascii\0', { kind: 'wrq', name: 'upload', mode: 'netascii', options: [] }],
  'a name in UTF-8 with a byte order mark': [
    '\0\x01\xef\xbb\xbfb\xc3\xbccher\0octet\0',
    { kind: 'rrq', name: '\ufeffbücher', mode: 'octet', options: [] },
  ],
  'an empty name': ['\0\x01\0octet\0', { kind: 'rrq', name: '', mode: 'octet', options: [] }],
  'an option without a value in it': [
    '\0\x01x\0octet\0x-flag\0\0',
    { kind: 'rrq', name: 'x', mode: 'octet', options: [{ name: 'x-flag', value: '' }] },
  ],
  'data, block 258': ['\0\x03\x01\x02abc', { kind: 'data', block: 258, data: latin('abc') }],
  'the empty block that ends a file': ['\0\x03\xff\xff', { kind: 'data', block: 65_535, data: new Uint8Array() }],
  'an acknowledgement': ['\0\x04\0\0', { kind: 'ack', block: 0 }],
  'OVMF has seen the size': [
    '\0\x05\0\x08User aborted the transfer\0',
    { kind: 'error', code: 8, message: 'User aborted the transfer' },
  ],
  'an error without words': ['\0\x05\0\0\0', { kind: 'error', code: 0, message: '' }],
  'an option answer': ['\0\x06blksize\x001024\0', { kind: 'oack', options: [{ name: 'blksize', value: '1024' }] }],
};

describe('packets', () => {
  test.each(Object.entries(packets))('%s', (_, [bytes, value]) => {
    expect(expectRoundTrip(value, encodeTftp, decodeTftp)).toEqual(latin(bytes));
  });

  test.each(Object.entries(packets))('%s, cut at every length', (_, [bytes]) => {
    cutAtEveryLength(latin(bytes), decodeTftp);
  });

  test('the header of a block is the beginning of the packet', () => {
    for (const block of [0, 1, 255, 256, 65_535]) {
      const header = new Uint8Array([9, 9, 9, 9, 9]);
      writeDataHeader(header, 1, block);
      expect(header.subarray(1)).toEqual(encodeTftp({ kind: 'data', block, data: new Uint8Array() }));
    }
  });
});

describe('what old clients send and we accept', () => {
  const accepted: Record<string, [bytes: string, value: TftpPacket]> = {
    'an ACK padded to the smallest Ethernet frame': [`\0\x04\0\x07${'\0'.repeat(14)}`, { kind: 'ack', block: 7 }],
    'an ERROR without its NUL': ['\0\x05\0\x08stop', { kind: 'error', code: 8, message: 'stop' }],
    'an ERROR without words and NUL': ['\0\x05\0\x02', { kind: 'error', code: 2, message: '' }],
    'an ERROR in Latin-1': ['\0\x05\0\0\xfc', { kind: 'error', code: 0, message: '\ufffd' }],
    'a request padded with zeros': [
      `\0\x01x\0octet\0tsize\x000\0${'\0'.repeat(40)}`,
      { kind: 'rrq', name: 'x', mode: 'octet', options: [{ name: 'tsize', value: '0' }] },
    ],
  };
  test.each(Object.entries(accepted))('%s', (_, [bytes, value]) => {
    expect(decodeTftp(latin(bytes))).toEqual(value);
  });
});

describe('broken packets say what is broken', () => {
  const broken: Record<string, [bytes: string, message: string]> = {
    empty: ['', 'opcode: needs 2 bytes at offset 0, the packet has 0 left'],
    'one byte': ['\0', 'opcode: needs 2 bytes at offset 0, the packet has 1 left'],
    'opcode 0': ['\0\0', 'opcode: 0 is not one of 1 to 6'],
    'opcode 7': ['\0\x07\0\0', 'opcode: 7 is not one of 1 to 6'],
    'a name without an end': ['\0\x01abc', 'file name: is not ended by a NUL byte'],
    'no mode': ['\0\x01abc\0', 'mode: is not ended by a NUL byte'],
    'a name that is not UTF-8': ['\0\x01\xff\0octet\0', 'file name: is not UTF-8 text'],
    'an option without a value': ['\0\x01a\0octet\0tsize\0', 'option tsize: is not ended by a NUL byte'],
    'a name of 3,000 letters': [
      `\0\x01${'a'.repeat(3000)}\0octet\0`,
      'file name: is 3000 bytes long, at most 2048 are allowed',
    ],
    '33 options': [`\0\x01a\0octet\0${'o\x001\0'.repeat(33)}`, 'options: more than 32 in one packet'],
    'an ACK of one byte': ['\0\x04\0', 'block: needs 2 bytes at offset 2, the packet has 1 left'],
  };
  test.each(Object.entries(broken))('%s', (_, [bytes, message]) => {
    expect(() => decodeTftp(latin(bytes))).toThrow(message);
    expect(survives(latin(bytes), decodeTftp)).toBe(false);
  });
});

describe('values that no packet can carry are refused', () => {
  const impossible: Record<string, TftpPacket> = {
    'block: 65536 is not a whole number': { kind: 'ack', block: 65_536 },
    'file name: holds a NUL byte': { kind: 'rrq', name: 'a\0b', mode: 'octet', options: [] },
    'option name: is empty': { kind: 'oack', options: [{ name: '', value: '1' }] },
    'data: needs 65504 bytes': { kind: 'data', block: 1, data: new Uint8Array(65_504) },
  };
  test.each(Object.entries(impossible))('%s', (message, packet) => {
    expect(() => encodeTftp(packet)).toThrow(WireError);
    expect(() => encodeTftp(packet)).toThrow(message);
  });
});

test('50,000 random datagrams: a value or a WireError, and what was decoded is encoded again', () => {
  const random = seededRandom(2026);
  let decoded = 0;
  for (let round = 0; round < 50_000; round++) {
    const bytes = new Uint8Array(random(40));
    for (let i = 0; i < bytes.length; i++) bytes[i] = random(4) === 0 ? random(256) : (random(2) * 0x61) & 0xff;
    if (bytes.length > 1) {
      bytes[0] = 0;
      bytes[1] = random(8);
    }
    if (!survives(bytes, decodeTftp)) continue;
    const value = decodeTftp(bytes);
    expectSameAfterEncoding(value);
    decoded++;
  }
  expect(decoded).toBeGreaterThan(10_000);
});

function expectSameAfterEncoding(value: TftpPacket): void {
  const again = decodeTftp(encodeTftp(value));
  if (JSON.stringify(again) !== JSON.stringify(value)) expect(again).toEqual(value);
}
