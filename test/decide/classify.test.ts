import { describe, expect, test } from 'vitest';
import type { DhcpFacts } from '../../server/boot/contract.js';
import { classifyDhcp } from '../../server/decide/classify.js';
import { WireError } from '../../server/wire/wire-error.js';
import { client, type NamedOptions, request, utf8 } from '../support/dhcp-packets.js';

const MAC = '52:54:00:00:00:01';
const facts = (options: NamedOptions): DhcpFacts => classifyDhcp(request(MAC, options));

describe('who sent it', () => {
  const rows: Record<string, [NamedOptions, Partial<DhcpFacts>]> = {
    'BIOS PXE': [client.bios, { client: 'pxe', arch: 0 }],
    'x64 UEFI PXE': [client.uefi, { client: 'pxe', arch: 7 }],
    'UEFI HTTP Boot': [client.http, { client: 'http', arch: 16 }],
    'iPXE sends the vendor class of PXE too: its user class decides': [client.ipxe, { client: 'ipxe', arch: 0 }],
    'iPXE by option 175 alone': [
      { ...client.uefi, ipxe: new Map([[176, Uint8Array.of(1)]]) },
      { client: 'ipxe', arch: 7 },
    ],
    'iPXE as one of several user classes (RFC 3004)': [
      { ...client.bios, userClass: utf8('\x02ab\x04iPXE') },
      { client: 'ipxe' },
    ],
    'another user class is no mark': [{ ...client.bios, userClass: utf8('iPXE-like') }, { client: 'pxe' }],
    'an operating system': [{ vendorClass: 'udhcp 1.35.0' }, { client: 'os' }],
    'an architecture alone makes no boot ROM': [{ clientArch: [7] }, { client: 'os', arch: 7 }],
    'HTTP by vendor class, whatever the number': [
      { vendorClass: 'HTTPClient:Arch:00007:UNDI:003000', clientArch: [7] },
      { client: 'http', arch: 7 },
    ],
    'the architecture from the vendor class when option 93 is missing': [
      { vendorClass: 'PXEClient:Arch:00009:UNDI:003000' },
      { client: 'pxe', arch: 9 },
    ],
    'a PXE ROM that tells no architecture at all': [{ vendorClass: 'PXEClient' }, { client: 'pxe' }],
    'several architectures: the first is meant': [{ ...client.uefi, clientArch: [16, 7] }, { arch: 16 }],
    'a host name': [{ hostName: 'node-1.lab' }, { hostname: 'node-1.lab' }],
  };
  test('a Raspberry Pi says it is a BIOS PC: its MAC tells', () => {
    const packet = request('b8:27:eb:00:00:01', { messageType: 'discover', ...client.bios });
    expect(classifyDhcp(packet)).toMatchObject({ client: 'pxe', arch: 41 });
    const running = request('b8:27:eb:00:00:01', { messageType: 'discover', vendorClass: 'udhcp' });
    expect(classifyDhcp(running)).not.toHaveProperty('arch');
  });

  test('iPXE: what its build can do', () => {
    const ipxe = new Map([
      [235, Uint8Array.of(1, 21, 1)],
      [20, Uint8Array.of(1)],
    ]);
    expect(facts({ messageType: 'discover', ...client.uefi, ipxe })).toMatchObject({
      ipxe: { version: '1.21.1', features: ['https'] },
    });
  });

  test('client id and relay port, in hex', () => {
    const relayAgent = new Map([
      [1, utf8('p1')],
      [2, Uint8Array.of(0, 1)],
    ]);
    expect(facts({ messageType: 'discover', clientId: Uint8Array.of(1, 2), relayAgent })).toMatchObject({
      clientId: '0102',
      relay: { circuitId: '7031', remoteId: '0001' },
    });
  });

  test.each(Object.entries(rows))('%s', (_sentence, [options, expected]) => {
    expect(facts({ messageType: 'discover', ...options })).toMatchObject({ mac: MAC, ...expected });
  });

  test('without option 53 it is BOOTP', () => {
    expect(facts(client.bios).client).toBe('bootp');
  });

  test('a host name that could break a line or a page is left out', () => {
    for (const hostName of ['a\nb', '<b>', 'x'.repeat(254)]) {
      expect(facts({ messageType: 'discover', hostName })).not.toHaveProperty('hostname');
    }
  });

  test('a malformed architecture is an error, not a guess', () => {
    const packet = request(MAC, { messageType: 'discover', ...client.uefi });
    const broken = { ...packet, options: new Map(packet.options).set(93, Uint8Array.of(7)) };
    expect(() => classifyDhcp(broken)).toThrow(WireError);
  });
});
