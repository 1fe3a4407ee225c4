import { describe, expect, test } from 'vitest';
import type { OptionWord } from '../../../server/domain/dhcp-options.js';
import { compiledOptions, optionBytes, optionFaults } from '../../../server/wire/dhcp/option-words.js';

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('what people write becomes bytes, by the kind of the option', () => {
  const rows: Record<string, [string, OptionWord, string]> = {
    'a list of addresses': ['ntp', ['10.77.0.1', '10.77.0.2'], '0a4d00010a4d0002'],
    'one address for a list': ['42', '10.77.0.1', '0a4d0001'],
    'an address': ['broadcast-address', '10.77.0.255', '0a4d00ff'],
    'a text': ['domain-name', 'lab', '6c6162'],
    'a number of 16 bits': ['mtu', 9000, '2328'],
    'a number of 8 bits': ['netbios-node-type', 8, '08'],
    'a negative number': ['time-offset', -3600, 'fffff1f0'],
    'a truth': ['ip-forwarding', false, '00'],
    'routes (RFC 3442)': ['121', ['10.20.0.0/16 via 10.77.0.254', 'default via 10.77.0.1'], '100a140a4d00fe000a4d0001'],
    domains: ['domain-search', ['a.b'], '0161016200'],
    'vendor options as they stand': ['43', 'hex:0104C0:a80001', '0104c0a80001'],
    'vendor options encapsulated': [
      'vendor',
      { '1': 'hex:0a0b', '241': 'ip:10.77.0.9', '2': 'ab' },
      '01020a0b02026162f1040a4d0009ff',
    ],
    'raw bytes for any option': ['ntp', 'hex:01', '01'],
    'an unknown option: text': ['224', 'text', '74657874'],
    'an unknown option: bytes': ['224', 'hex:0a0b', '0a0b'],
    'an unknown option: addresses': ['224', 'ip:10.0.0.1,10.0.0.2', '0a0000010a000002'],
    'an unknown option: numbers': ['224', 'u32:86400', '00015180'],
    'an unknown option: a truth': ['224', true, '01'],
    'an unknown option: a text with a colon': ['224', 'http://x', '687474703a2f2f78'],
  };
  test.each(Object.entries(rows))('%s', (_sentence, [key, word, bytes]) => {
    expect(hexOf(optionBytes(key, word))).toBe(bytes);
  });
});

describe('what does not fit is refused, with what would', () => {
  const rows: Record<string, [string, OptionWord, string]> = {
    'a name that is none': ['ntq', '10.0.0.1', 'there is no DHCP option "ntq"'],
    'a number over 254': ['256', 'x', 'there is no DHCP option "256"'],
    'an option of the protocol': ['54', '10.0.0.1', 'option 54 (server-id) is the address of this server'],
    'the lease time': ['51', 60, 'option 51 (lease-time) is leaseTime'],
    'the mask': ['subnet-mask', '255.0.0.0', 'option 1 (subnet-mask) follows from the cidr of the subnet'],
    'a text for a number': ['mtu', '1500', 'option 26 (interface-mtu) is not written like this'],
    'a number that is too large': [
      'mtu',
      65536,
      'option 26 (interface-mtu): 65536 is not a whole number from 0 to 65535',
    ],
    'an address that is none': ['ntp', ['ntp.example.org'], '"ntp.example.org" is not an IPv4 address'],
    'no address at all': ['ntp', [], 'option 42 (ntp-servers) is not written like this'],
    'a route without its router': ['121', ['10.0.0.0/8'], '"10.0.0.0/8" is not a route'],
    'a route with host bits': ['121', ['10.0.0.1/8 via 10.0.0.1'], '"10.0.0.1/8" has host bits set'],
    'a text with a newline': ['domain', 'a\nb', 'option 15 (domain-name) is not written like this'],
    'hex that is none': ['43', 'hex:0', 'option 43 (vendor-options): "hex:0" is not in hex'],
    'a number without a kind': ['224', 5, 'option 224 has no kind of its own'],
    'a sub-option that is none': ['43', { '255': 'a' }, '"255" is not a sub-option'],
    'a sub-option that is too long': [
      '43',
      { '1': 'x'.repeat(256) },
      'sub-option 1, length: 256 is not a whole number',
    ],
    'a domain that is none': ['119', ['a..b'], '"a..b" is not a DNS name'],
  };
  test.each(Object.entries(rows))('%s', (_sentence, [key, word, message]) => {
    expect(() => optionBytes(key, word)).toThrow(message);
    expect(optionFaults({ [key]: word })).toMatchObject([{ key, message: expect.stringContaining(message) }]);
  });

  test('one option under two names', () => {
    expect(optionFaults({ '42': '10.0.0.1', ntp: '10.0.0.2' })).toEqual([
      { key: 'ntp', message: 'is option 42 (ntp-servers), which 42 sets already' },
    ]);
  });
});

test('a set is compiled once', () => {
  const words = { ntp: ['10.77.0.1'], '224': 'x' };
  expect([...compiledOptions(words).keys()]).toEqual([224, 42]);
  expect(compiledOptions(words)).toBe(compiledOptions(words));
});
