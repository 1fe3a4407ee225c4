import { describe, expect, test } from 'vitest';
import { archKey, archOf, describeArch } from '../../server/domain/arch.js';

/*
 * The registry "Processor Architecture Types" (IANA, dhcpv6-parameters) as of 2026: number, what it means, by HTTP or not. Our own
 * words for it are shorter.
 */
const REGISTRY: readonly (readonly [code: number, name: RegExp, http?: 'http'])[] = [
  [0, /x86 BIOS/],
  [1, /PC98/],
  [2, /Itanium/],
  [3, /Alpha/],
  [4, /Arc x86/],
  [5, /Lean Client/],
  [6, /x86 UEFI/],
  [7, /x64 UEFI/],
  [8, /Xscale/],
  [9, /x64 UEFI/],
  [10, /ARM 32-bit UEFI/],
  [11, /ARM 64-bit UEFI/],
  [12, /PowerPC Open Firmware/],
  [13, /PowerPC ePAPR/],
  [14, /POWER OPAL v3/],
  [15, /x86 UEFI HTTP/, 'http'],
  [16, /x64 UEFI HTTP/, 'http'],
  [17, /EBC HTTP/, 'http'],
  [18, /ARM 32-bit UEFI HTTP/, 'http'],
  [19, /ARM 64-bit UEFI HTTP/, 'http'],
  [20, /PC\/AT BIOS HTTP/, 'http'],
  [21, /ARM 32-bit U-Boot/],
  [22, /ARM 64-bit U-Boot/],
  [23, /ARM 32-bit U-Boot HTTP/, 'http'],
  [24, /ARM 64-bit U-Boot HTTP/, 'http'],
  [25, /RISC-V 32-bit UEFI/],
  [26, /RISC-V 32-bit UEFI HTTP/, 'http'],
  [27, /RISC-V 64-bit UEFI/],
  [28, /RISC-V 64-bit UEFI HTTP/, 'http'],
  [29, /RISC-V 128-bit UEFI/],
  [30, /RISC-V 128-bit UEFI HTTP/, 'http'],
  [31, /s390 basic/],
  [32, /s390 extended/],
  [33, /MIPS 32-bit UEFI/],
  [34, /MIPS 64-bit UEFI/],
  [35, /Sunway 32-bit UEFI/],
  [36, /Sunway 64-bit UEFI/],
  [37, /LoongArch 32-bit UEFI/],
  [38, /LoongArch 32-bit UEFI HTTP/, 'http'],
  [39, /LoongArch 64-bit UEFI/],
  [40, /LoongArch 64-bit UEFI HTTP/, 'http'],
  [41, /Raspberry Pi/],
];

describe('architectures', () => {
  test.each(REGISTRY.map(([code, name, http]) => ({ code, name, http })))('$code is $name', ({ code, name, http }) => {
    const arch = archOf(code) ?? expect.fail(`${code} is not in the table`);
    expect(arch.name).toMatch(name);
    expect(arch.http).toBe(http === 'http');
    // Its word in configuration leads back to it.
    const word = arch.name
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/-$/, '');
    expect(archKey(word)).toBe(code);
    expect(archKey(String(code))).toBe(code);
  });

  test('the next number is unknown, and can be written as a number all the same', () => {
    expect(archOf(REGISTRY.length)).toBeUndefined();
    expect(describeArch(42)).toBe('unknown arch 42');
    expect([archKey('42'), archKey('65535'), archKey('65536'), archKey('x64'), archKey('default')]).toEqual([
      42,
      65_535,
      undefined,
      undefined,
      'default',
    ]);
  });

  test('7 and 9 are alike, and HTTP Boot of x64 has the same loaders', () => {
    expect([7, 9, 16].map((code) => archOf(code)?.loaders)).toEqual(['x64', 'x64', 'x64']);
    expect([6, 11, 41].map((code) => archOf(code)?.loaders)).toEqual([undefined, undefined, undefined]);
  });
});
