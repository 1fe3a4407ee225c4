import { describe, expect, test } from 'vitest';
import { OPTIONS, type OptionName, type OptionValue, optionField } from '../../../server/wire/dhcp/option-table.js';
import { type DhcpOptions, getOption, setOption } from '../../../server/wire/dhcp/options.js';
import { ipxeNoPxeDhcp, pxeUseFileOfOffer, userClasses, uuidOfOption97 } from '../../../server/wire/dhcp/pxe.js';
import { relayInfo } from '../../../server/wire/dhcp/relay.js';
import { WireError } from '../../../server/wire/wire-error.js';
import { ip, utf8 } from '../../support/dhcp-packets.js';

/** One row an option: a value and its bytes in hex. The type asks for a row when the table gets a new option. */
const rows: { readonly [N in OptionName]: readonly [OptionValue<N>, string] } = {
  subnetMask: [ip('255.255.255.0'), 'ffffff00'],
  routers: [[ip('10.77.0.1'), ip('10.77.0.2')], '0a4d00010a4d0002'],
  dnsServers: [[ip('10.77.0.1')], '0a4d0001'],
  hostName: ['node1', '6e6f646531'],
  domainName: ['lab', '6c6162'],
  interfaceMtu: [1500, '05dc'],
  broadcastAddress: [ip('10.77.0.255'), '0a4d00ff'],
  ntpServers: [[ip('10.77.0.1')], '0a4d0001'],
  vendorOptions: [new Map([[6, Uint8Array.of(8)]]), '060108ff'],
  requestedAddress: [ip('10.77.0.5'), '0a4d0005'],
  leaseTime: [0xffffffff, 'ffffffff'],
  overload: [3, '03'],
  messageType: ['inform', '08'],
  serverId: [ip('10.77.0.1'), '0a4d0001'],
  requestList: [[1, 3, 6, 67], '01030643'],
  message: ['no', '6e6f'],
  maxMessageSize: [1260, '04ec'],
  renewalTime: [1800, '00000708'],
  rebindingTime: [3150, '00000c4e'],
  vendorClass: ['PXEClient', '505845436c69656e74'],
  clientId: [Uint8Array.of(1, 2), '0102'],
  tftpServerName: ['10.77.0.1', '31302e37372e302e31'],
  bootFile: ['a.efi', '612e656669'],
  userClass: [utf8('iPXE'), '69505845'],
  clientFqdn: [Uint8Array.of(0), '00'],
  relayAgent: [new Map([[1, utf8('p1')]]), '01027031'],
  clientArch: [[7, 16], '00070010'],
  clientNetworkInterface: [[1, 3, 0], '010300'],
  clientUuid: [Uint8Array.of(0, 1), '0001'],
  subnetSelection: [ip('10.78.0.0'), '0a4e0000'],
  ipxe: [new Map([[176, Uint8Array.of(1)]]), 'b00101'],
};

const toHex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');

describe('every row of the table, both ways', () => {
  test.each(Object.keys(rows) as OptionName[])('%s', check);

  function check<N extends OptionName>(name: N): void {
    const [value, bytes] = rows[name];
    const options = new Map<number, Uint8Array>();
    setOption(options, name, value);
    expect(toHex(options.get(OPTIONS[name].code))).toBe(bytes);
    expect(getOption(options, name)).toEqual(value);
  }
});

test('absent is undefined, of the wrong size is an error that names the option', () => {
  const options: DhcpOptions = new Map([[3, Uint8Array.of(1, 2, 3)]]);
  expect(getOption(options, 'dnsServers')).toBeUndefined();
  expect(() => getOption(options, 'routers')).toThrow(WireError);
  expect(() => getOption(options, 'routers')).toThrow('option 3 (routers): is 3 bytes long instead of a multiple of 4');
  expect(() => getOption(new Map([[53, Uint8Array.of(9)]]), 'messageType')).toThrow('9 is not a message type');
  expect(optionField(224)).toBe('option 224');
});

test('a closing NUL is not part of a text', () => {
  expect(getOption(new Map([[12, utf8('node1\0')]]), 'hostName')).toBe('node1');
});

describe('PXE and iPXE', () => {
  test('option 43 for BIOS: discovery control 8, closed by 255', () => {
    const options = new Map<number, Uint8Array>();
    setOption(options, 'vendorOptions', pxeUseFileOfOffer());
    expect(toHex(options.get(43))).toBe('060108ff');
  });

  test('option 175: no-pxedhcp', () => {
    expect(ipxeNoPxeDhcp()).toEqual(new Map([[176, Uint8Array.of(1)]]));
  });

  test('option 97 is a type byte and an SMBIOS UUID', () => {
    const uuid = '00112233-4455-6677-8899-aabbccddeeff';
    const bytes = Buffer.from('0033221100554477668899aabbccddeeff', 'hex');
    expect(uuidOfOption97(bytes)).toBe(uuid);
    expect(uuidOfOption97(new Uint8Array(17))).toBeUndefined();
    expect(() => uuidOfOption97(new Uint8Array(16))).toThrow('is 16 bytes long instead of 17');
  });

  test('option 77 as bare text (iPXE) and as a list (RFC 3004)', () => {
    expect(userClasses(utf8('iPXE'))).toEqual(['iPXE']);
    expect(userClasses(utf8('\x04iPXE\x02ab'))).toEqual(['iPXE', 'ab']);
    expect(userClasses(new Uint8Array(0))).toEqual([]);
  });
});

describe('relay information', () => {
  test('circuit, remote, link selection and server id override', () => {
    const bytes = Buffer.from('010270310202723105040a4e00000b040a4e0001', 'hex');
    expect(relayInfo(new Map([[82, bytes]]))).toEqual({
      circuitId: Buffer.from('p1'),
      remoteId: Buffer.from('r1'),
      linkSelection: ip('10.78.0.0'),
      serverIdOverride: ip('10.78.0.1'),
    });
  });

  test('none, and broken', () => {
    expect(relayInfo(new Map())).toBeUndefined();
    expect(() => relayInfo(new Map([[82, Uint8Array.of(5, 2, 1, 1)]]))).toThrow('link-selection: is 2 bytes long');
    expect(() => relayInfo(new Map([[82, Uint8Array.of(1, 9, 1)]]))).toThrow('sub-option 1: needs 9 bytes');
  });
});
