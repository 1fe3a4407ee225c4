import { describe, expect, test } from 'vitest';
import { chooseLoader, type LoaderRequest } from '../../server/decide/loader.js';

const pxe = (arch?: number): LoaderRequest['facts'] => ({ client: 'pxe', ...(arch === undefined ? {} : { arch }) });
const http = (arch?: number): LoaderRequest['facts'] => ({ client: 'http', ...(arch === undefined ? {} : { arch }) });
const auto = { loader: 'auto', source: 'default' } as const;
const set = (loader: 'snponly' | 'ipxe' | 'shim'): LoaderRequest['setting'] => ({ loader, source: 'role' });
const full = { mode: 'full', setting: auto } as const;

describe('which loader', () => {
  const gives: Record<string, [LoaderRequest, string]> = {
    'BIOS gets undionly': [{ ...full, facts: pxe(0) }, 'undionly.kpxe'],
    'BIOS gets undionly whatever is set for UEFI': [{ ...full, facts: pxe(0), setting: set('shim') }, 'undionly.kpxe'],
    'an old ROM without option 93 is BIOS': [{ ...full, facts: pxe() }, 'undionly.kpxe'],
    'x64 UEFI, nothing known: shim': [{ ...full, facts: pxe(7) }, 'shimx64.efi'],
    '9 is x64 UEFI too': [{ ...full, facts: pxe(9) }, 'shimx64.efi'],
    'Secure Boot reported off: snponly': [{ ...full, facts: pxe(7), secureBoot: 'off' }, 'snponly.efi'],
    'firmware without Secure Boot: snponly': [{ ...full, facts: pxe(7), secureBoot: 'none' }, 'snponly.efi'],
    'Secure Boot reported on: shim': [{ ...full, facts: pxe(7), secureBoot: 'on' }, 'shimx64.efi'],
    'a setting wins over what is known': [
      { ...full, facts: pxe(7), secureBoot: 'off', setting: set('ipxe') },
      'ipxe.efi',
    ],
    'proxy mode, nothing known: snponly': [{ mode: 'proxy', setting: auto, facts: pxe(7) }, 'snponly.efi'],
    'proxy mode, Secure Boot on: shim': [
      { mode: 'proxy', setting: auto, facts: pxe(7), secureBoot: 'on' },
      'shimx64.efi',
    ],
    'proxy mode, the site’s server names us as next-server: shim when it is set': [
      { mode: 'proxy', setting: set('shim'), facts: pxe(7) },
      'shimx64.efi',
    ],
    'proxy mode, HTTP firmware, nothing known: snponly by URL': [
      { mode: 'proxy', setting: auto, facts: http(16) },
      'snponly.efi',
    ],
    'HTTP firmware: snponly by URL': [{ ...full, facts: http(16) }, 'snponly.efi'],
    'HTTP firmware, ipxe set': [{ ...full, facts: http(16), setting: set('ipxe') }, 'ipxe.efi'],
  };
  test.each(Object.entries(gives))('%s', (_sentence, [request, file]) => {
    const transport = request.facts.client === 'http' ? 'http' : 'tftp';
    expect(chooseLoader(request)).toMatchObject({ kind: 'loader', file, transport });
  });

  const refuses: Record<string, [LoaderRequest, RegExp]> = {
    'ARM64: none shipped': [{ ...full, facts: pxe(11) }, /no boot loader is shipped for ARM 64-bit UEFI \(arch 11\)/],
    'a number nobody knows': [{ ...full, facts: pxe(999) }, /unknown arch 999/],
    'BIOS HTTP': [{ ...full, facts: http(20) }, /no boot loader is shipped for PC\/AT BIOS HTTP/],
    'HTTP without an architecture': [{ ...full, facts: http() }, /does not tell its architecture/],
    'iPXE never gets iPXE again': [{ ...full, facts: { client: 'ipxe', arch: 0 } }, /gets a script/],
    'an operating system': [{ ...full, facts: { client: 'os' } }, /not a boot ROM/],
  };
  test.each(Object.entries(refuses))('none: %s', (_sentence, [request, reason]) => {
    expect(chooseLoader(request)).toMatchObject({ kind: 'none', reason: expect.stringMatching(reason) });
  });

  test('HTTP Boot with Secure Boot on has a named diagnosis', () => {
    const named = { kind: 'none', diagnosis: { name: 'secure-boot-http' } };
    expect(chooseLoader({ ...full, facts: http(16), secureBoot: 'on' })).toMatchObject(named);
    expect(chooseLoader({ ...full, facts: http(16), setting: set('shim') })).toMatchObject(named);
    expect(chooseLoader({ mode: 'proxy', setting: auto, facts: http(16), secureBoot: 'on' })).toMatchObject(named);
  });

  test('the reason says what decided', () => {
    const reason = (request: LoaderRequest): string => chooseLoader(request).reason;
    expect(reason({ ...full, facts: pxe(7), setting: set('snponly') })).toContain('loader: snponly set on the role');
    expect(reason({ ...full, facts: pxe(7) })).toBe('x64 UEFI (arch 7), Secure Boot unknown: the shim works with both');
  });
});
