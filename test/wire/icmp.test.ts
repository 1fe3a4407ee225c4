import { expect, test } from 'vitest';
import { echoReply, encodeEchoRequest } from '../../server/wire/icmp.js';
import { ip } from '../support/dhcp-packets.js';

/** As the network sends it: the IP header of a host, then the ICMP message. */
const packet = (icmp: string): Uint8Array => Buffer.from(`4500001c000040004001f8560a4e00640a4d0001${icmp}`, 'hex');

test('an echo request with its checksum', () => {
  expect(Buffer.from(encodeEchoRequest(0x1234, 1)).toString('hex')).toBe('0800e5ca12340001');
  expect(Buffer.from(encodeEchoRequest(0xffff, 0xffff)).toString('hex')).toBe('0800f7ffffffffff');
});

test('a reply tells who answered what', () => {
  expect(echoReply(packet('0000edca12340001'))).toEqual({ from: ip('10.78.0.100'), id: 0x1234, sequence: 1 });
});

test('a request, an error, and what is cut, tell nothing', () => {
  expect(echoReply(packet('0800e5ca12340001'))).toBeUndefined();
  expect(echoReply(packet('0301fcfe00000000'))).toBeUndefined();
  const whole = packet('0000edca12340001');
  for (let length = 0; length < whole.length; length++) expect(echoReply(whole.subarray(0, length))).toBeUndefined();
});
