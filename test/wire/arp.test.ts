import { expect, test } from 'vitest';
import { parseMac } from '../../server/domain/mac.js';
import { arpSender, encodeArpProbe } from '../../server/wire/arp.js';
import { ip } from '../support/dhcp-packets.js';

const MAC = parseMac('52:54:00:00:00:01');
const HEX = '0001080006040001525400000001000000000000000000000a4d0064';

test('a probe asks without saying that anybody has an address (RFC 5227)', () => {
  const bytes = encodeArpProbe(MAC, ip('10.77.0.100'));
  expect(Buffer.from(bytes).toString('hex')).toBe(HEX);
  expect(arpSender(bytes)).toBeUndefined();
});

test('an answer, an announcement and a question tell who has an address; padding does not matter', () => {
  const answer = Buffer.from(
    `${HEX.replace('06040001', '06040002').replace('0100000000', '010a4d0064')}00000000`,
    'hex',
  );
  expect(arpSender(answer)).toEqual({ mac: MAC, address: ip('10.77.0.100') });
});

test('what is cut or not Ethernet and IPv4 tells nothing', () => {
  const answer = Buffer.from(HEX.replace('0100000000', '010a4d0064'), 'hex');
  expect(arpSender(answer.subarray(0, 27))).toBeUndefined();
  expect(arpSender(Uint8Array.of(0, 6, ...answer.subarray(2)))).toBeUndefined();
  expect(arpSender(Uint8Array.of(...answer.subarray(0, 4), 8, ...answer.subarray(5)))).toBeUndefined();
});
