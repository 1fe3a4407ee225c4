import { describe, expect, test } from 'vitest';
import { chooseLoader, type LoaderRequest } from '../../server/decide/loader.js';
import type { BootFiles } from '../../server/domain/dhcp-options.js';

type Files = { readonly machine?: BootFiles; readonly profile?: BootFiles; readonly subnet?: BootFiles };

function chosen(arch: number, { machine, profile, subnet }: Files, client: 'pxe' | 'http' = 'pxe'): string {
  const request: LoaderRequest = {
    facts: { client, arch },
    mode: 'full',
    setting: { loader: 'auto', source: 'default' },
    bootFiles: [
      ...(machine === undefined ? [] : [{ source: 'machine' as const, files: machine }]),
      ...(profile === undefined ? [] : [{ source: 'profile' as const, files: profile }]),
      ...(subnet === undefined ? [] : [{ source: 'subnet' as const, files: subnet }]),
    ],
  };
  const choice = chooseLoader(request);
  return choice.kind === 'none' ? `none: ${choice.reason}` : `${choice.file} by ${choice.transport}: ${choice.reason}`;
}

describe('boot files of the site, by architecture', () => {
  const rows: Record<string, [Parameters<typeof chosen>, string]> = {
    'the nearest place wins': [
      [7, { machine: { 'x64-uefi': 'm.efi' }, profile: { '7': 'p.efi' }, subnet: { '7': 's.efi' } }],
      'm.efi by tftp: x64 UEFI (arch 7), bootFiles.x64-uefi set on the machine',
    ],
    'a place that says nothing of this architecture is passed over': [
      [0, { machine: { '7': 'm.efi' }, profile: { 'x86-bios': 'p.0' } }],
      'p.0 by tftp: x86 BIOS (arch 0), bootFiles.x86-bios set on the profile',
    ],
    '7 serves 9 too': [
      [9, { subnet: { '7': 's.efi' } }],
      's.efi by tftp: x64 UEFI (as 9) (arch 9), bootFiles.7 set on the subnet',
    ],
    'an architecture without a shipped loader': [
      [11, { machine: { 'arm-64-bit-uefi': 'grubaa64.efi' } }],
      'grubaa64.efi by tftp: ARM 64-bit UEFI (arch 11), bootFiles.arm-64-bit-uefi set on the machine',
    ],
    'an unknown architecture: the fallback': [
      [99, { subnet: { default: 'other.efi' } }],
      'other.efi by tftp: unknown arch 99, bootFiles.default set on the subnet',
    ],
    'an unknown architecture without a fallback: a reason': [
      [99, {}],
      'none: no boot loader is shipped for unknown arch 99',
    ],
    'the fallback is not for firmware that a loader is shipped for': [
      [0, { machine: { default: 'other.0' } }],
      'undionly.kpxe by tftp: x86 BIOS (arch 0)',
    ],
    'HTTP firmware gets a URL': [
      [19, { subnet: { '19': 'http://boot.example.org/a.efi' } }, 'http'],
      'http://boot.example.org/a.efi by http: ARM 64-bit UEFI HTTP (arch 19), bootFiles.19 set on the subnet',
    ],
    'TFTP firmware cannot use one': [
      [11, { subnet: { '11': 'http://boot.example.org/a.efi' } }],
      'none: ARM 64-bit UEFI (arch 11), bootFiles.11 set on the subnet: http://boot.example.org/a.efi is a URL, and this firmware boots by TFTP',
    ],
    'a Raspberry Pi': [
      [41, { profile: { 'raspberry-pi': 'bootcode.bin' } }],
      'bootcode.bin by tftp: Raspberry Pi (arch 41), bootFiles.raspberry-pi set on the profile',
    ],
  };
  test.each(Object.entries(rows))('%s', (_sentence, [given, text]) => {
    expect(chosen(...given)).toBe(text);
  });
});
