import { expect, test } from 'vitest';
import { parseIpv4 } from '../../server/domain/ipv4.js';
import { encodeUdpFrame } from '../../server/wire/udp-frame.js';

const frame = (payload: Uint8Array): Uint8Array =>
  encodeUdpFrame({ from: parseIpv4('10.77.0.1'), fromPort: 67, to: parseIpv4('10.77.0.100'), toPort: 68, payload });

/** RFC 1071: the sum over the words, checksum included, is all ones. */
function ones(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

test.each([0, 1, 2, 299, 300, 1472])('both checksums are right for a payload of %i bytes', (size) => {
  const bytes = frame(Uint8Array.from({ length: size }, (_, i) => (i * 37) & 255));
  expect(bytes).toHaveLength(28 + size);
  expect(ones(bytes.subarray(0, 20))).toBe(0xffff);
  const pseudo = [...bytes.subarray(12, 20), 0, 17, (8 + size) >> 8, (8 + size) & 255];
  expect(ones(Uint8Array.of(...pseudo, ...bytes.subarray(20)))).toBe(0xffff);
});

test('addresses, ports and lengths stand where IPv4 and UDP want them', () => {
  const bytes = frame(Uint8Array.of(1, 2, 3));
  expect(Buffer.from(bytes.subarray(12, 26)).toString('hex')).toBe('0a4d0001' + '0a4d0064' + '0043' + '0044' + '000b');
  expect(bytes[9]).toBe(17);
});
