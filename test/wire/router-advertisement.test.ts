import { expect, test } from 'vitest';
import { parseMac } from '../../server/domain/mac.js';
import { encodeNoRouter } from '../../server/wire/router-advertisement.js';

const packet = encodeNoRouter(parseMac('52:54:00:77:00:fe'), parseMac('52:54:00:77:00:01'));

test('a router advertisement of lifetime 0 from one link-local address to another', () => {
  const hex = Buffer.from(packet).toString('hex');
  // Version and class, length 16, ICMPv6, hop limit 255.
  expect(hex.slice(0, 16)).toBe('6000000000103aff');
  // MACs with the universal bit turned over and fffe in their middle.
  expect(hex.slice(16, 48)).toBe('fe80000000000000505400fffe7700fe');
  expect(hex.slice(48, 80)).toBe('fe80000000000000505400fffe770001');
  expect(hex.slice(80, 84)).toBe('8600');
  expect(hex.slice(88)).toBe('0'.repeat(24));
});

test('its checksum is what receivers expect: the sum with it is all ones', () => {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  let total = 16 + 58;
  for (let at = 8; at < packet.length; at += 2) total += view.getUint16(at);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  expect(total).toBe(0xffff);
});
