import { expect, test } from 'vitest';
import { decodeSocketAddress, encodeSocketAddress } from '../../server/native/socket-address.js';

const scope = (name: string): number => (name === 'eth0' ? 7 : 0);

const addresses: Record<string, string> = {
  '10.0.0.1': '10.0.0.1',
  '255.255.255.255': '255.255.255.255',
  '::': '::',
  '::1': '::1',
  'fd00::1': 'fd00::1',
  'fd00::': 'fd00::',
  'fd00:0:0:1:0:0:0:2': 'fd00:0:0:1::2',
  '1:2:3:4:5:6:7:8': '1:2:3:4:5:6:7:8',
  '2001:db8:0:1:2:3:4:5': '2001:db8:0:1:2:3:4:5',
  '::ffff:10.0.0.1': '::ffff:a00:1',
  'fe80::1%eth0': 'fe80::1%7',
};
test.each(Object.entries(addresses))('%s survives', (address, shown) => {
  expect(decodeSocketAddress(encodeSocketAddress(address, 6969, scope))).toEqual({ address: shown, port: 6969 });
});

test('as the kernel wants it', () => {
  expect([...encodeSocketAddress('10.0.0.1', 0x1234, scope)]).toEqual([
    2, 0, 0x12, 0x34, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0,
  ]);
  const six = encodeSocketAddress('fe80::1%eth0', 69, scope);
  expect([six.length, six[0], six[3], six[8], six[23], six[24]]).toEqual([28, 10, 69, 0xfe, 1, 7]);
});

test('what is no address', () => {
  expect(() => encodeSocketAddress('localhost', 1, scope)).toThrow('not an IP address');
  expect(decodeSocketAddress(new Uint8Array(28))).toBeUndefined();
});
