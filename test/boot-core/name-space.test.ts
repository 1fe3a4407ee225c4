import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { address, startCore, type TestCore } from '../support/boot-core.js';

describe('the name space', () => {
  let core: TestCore;
  beforeAll(async () => {
    core = await startCore();
  });
  afterAll(async () => await core.close());
  const rows: Record<string, RegExp> = {
    '/snponly.efi': /^file \/srv\/snponly\.efi/,
    '//SNPONLY.EFI': /^file \/srv\/snponly\.efi/,
    'boot\\snponly.efi': /^file \/srv\/snponly\.efi/,
    'grub/grub.cfg': /source grub\/machine\/\$net_default_mac\.cfg/,
    'any/dir/autoexec.ipxe': /chain http:\/\/10\.77\.0\.1:8080\/boot\/ipxe\/\$\{netX\/mac:hexhyp\}/,
    'grub/machine/52:54:00:00:00:01.cfg': /^text # node1: role web.*linux \/images\/sha256\/a{64}\/vmlinuz /s,
    'boot/ipxe/52:54:00:00:00:01.ipxe': /^text #!ipxe\n# node1: role web/,
    'boot/ipxe/nonsense': /^none not_found/,
    [`images/sha256/${'a'.repeat(64)}`]: /^file \/srv\/a{64}/,
    [`images/sha256/${'0'.repeat(64)}/vmlinuz`]: /^none not_found no image has this digest/,
    '../etc/passwd': /^none unauthorized the name leaves its folder/,
    'a/../../etc/passwd': /^none unauthorized/,
    'C:\\windows\\boot.ini': /^none unauthorized the name is absolute/,
    'snponly.efi\u0000.txt': /^none unauthorized the name holds a control character/,
    '': /^none unauthorized the name is empty/,
    ['x'.repeat(513)]: /^none unauthorized the name has 513 characters/,
    'no-such-file': /^none not_found no such boot file/,
  };
  test.each(Object.entries(rows))('%j', async (name, expected) => {
    const file = await core.boot.resolve(name, { protocol: 'tftp', address });
    const text =
      file.kind === 'text'
        ? `text ${file.text}`
        : file.kind === 'file'
          ? `file ${file.path}`
          : `none ${file.code} ${file.reason}`;
    expect(text).toMatch(expected);
    if (file.kind === 'none') expect(await core.kinds()).toContain('tftp.refused');
  });
});
