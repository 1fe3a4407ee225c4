import { describe, expect, test } from 'vitest';
import { asksFor, withoutMarks } from '../support/lab-mark-filter.js';

/** An Ethernet frame with UDP over IPv4; lengths and checksums are not looked at. */
function frameTo(port: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(42);
  head.writeUInt16BE(0x0800, 12);
  head[14] = 0x45;
  head[23] = 17;
  head.writeUInt16BE(port, 36);
  head.writeUInt16BE(0xbeef, 40);
  return Buffer.concat([head, payload]);
}

const dhcp = (...options: number[]): Buffer => frameTo(67, Buffer.concat([Buffer.alloc(240), Buffer.from(options)]));
const optionsOf = (frame: Buffer | undefined): number[] => [...(frame ?? Buffer.alloc(0)).subarray(42 + 240)];

describe('the filter that hides that the ROM is iPXE', () => {
  test('takes out user class and iPXE options, keeps the rest and the length', () => {
    const packet = dhcp(53, 1, 1, 77, 4, 0x69, 0x50, 0x58, 0x45, 0, 93, 2, 0, 0, 175, 3, 1, 1, 0, 255);
    const edited = withoutMarks(packet);
    expect(optionsOf(edited)).toEqual([53, 1, 1, 0, 93, 2, 0, 0, 255, ...Array<number>(11).fill(0)]);
    expect(edited?.length).toBe(packet.length);
    expect(edited?.readUInt16BE(40)).toBe(0);
    expect(edited?.subarray(0, 40)).toEqual(packet.subarray(0, 40));
  });

  test('leaves packets without marks, and what is not DHCP, as they are', () => {
    expect(withoutMarks(dhcp(53, 1, 1, 255))).toBeUndefined();
    expect(withoutMarks(frameTo(68, dhcp(77, 1, 1, 255).subarray(42)))).toBeUndefined();
    expect(withoutMarks(Buffer.alloc(60))).toBeUndefined();
  });

  test('sees the request for undionly', () => {
    const request = (name: string): Buffer => frameTo(69, Buffer.from(`\0\x01${name}\0octet\0blksize\x001432\0`));
    expect(asksFor(request('/undionly.kpxe'), 'undionly.kpxe')).toBe(true);
    expect(asksFor(request('boot.ipxe'), 'undionly.kpxe')).toBe(false);
    expect(asksFor(frameTo(67, Buffer.from('\0\x01undionly.kpxe\0')), 'undionly.kpxe')).toBe(false);
  });
});
