import { describe, expect, test } from 'vitest';
import { parseCidr } from '../../../server/domain/ipv4.js';
import { OPTIONS, type OptionName, type OptionValue, optionField } from '../../../server/wire/dhcp/option-table.js';
import { type DhcpOptions, getOption, setOption } from '../../../server/wire/dhcp/options.js';
import {
  ipxeFacts,
  ipxeNoPxeDhcp,
  pxeUseFileOfOffer,
  raspberryPiMenu,
  userClasses,
  uuidOfOption97,
} from '../../../server/wire/dhcp/pxe.js';
import { relayInfo } from '../../../server/wire/dhcp/relay.js';
import { WireError } from '../../../server/wire/wire-error.js';
import { ip, utf8 } from '../../support/dhcp-packets.js';

/** One row an option: a value and its bytes in hex. The type asks for a row when the table gets a new option. */
const rows: { readonly [N in OptionName]: readonly [OptionValue<N>, string] } = {
  subnetMask: [ip('255.255.255.0'), 'ffffff00'],
  timeOffset: [-3600, 'fffff1f0'],
  routers: [[ip('10.77.0.1'), ip('10.77.0.2')], '0a4d00010a4d0002'],
  timeServers: [[ip('10.77.0.1')], '0a4d0001'],
  dnsServers: [[ip('10.77.0.1')], '0a4d0001'],
  logServers: [[ip('10.77.0.1')], '0a4d0001'],
  hostName: ['node1', '6e6f646531'],
  domainName: ['lab', '6c6162'],
  rootPath: ['/nfs', '2f6e6673'],
  ipForwarding: [true, '01'],
  interfaceMtu: [1500, '05dc'],
  broadcastAddress: [ip('10.77.0.255'), '0a4d00ff'],
  staticRoutes: [[ip('10.78.0.0'), ip('10.77.0.1')], '0a4e00000a4d0001'],
  ntpServers: [[ip('10.77.0.1')], '0a4d0001'],
  vendorOptions: [new Map([[6, Uint8Array.of(8)]]), '060108ff'],
  netbiosServers: [[ip('10.77.0.1')], '0a4d0001'],
  netbiosNodeType: [8, '08'],
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
  posixTimezone: ['UTC0', '55544330'],
  tzdbTimezone: ['UTC', '555443'],
  captivePortal: ['u', '75'],
  subnetSelection: [ip('10.78.0.0'), '0a4e0000'],
  domainSearch: [['a.b', 'c'], '0161016200016300'],
  routes: [
    [
      { to: parseCidr('10.20.30.0/23'), via: ip('10.77.0.2') },
      { to: parseCidr('10.0.0.0/8'), via: ip('10.77.0.3') },
      { to: parseCidr('0.0.0.0/0'), via: ip('10.77.0.1') },
    ],
    '170a141e0a4d0002080a0a4d0003000a4d0001',
  ],
  vendorClasses: [Uint8Array.of(1), '01'],
  vendorInformation: [Uint8Array.of(1), '01'],
  capwapControllers: [[ip('10.77.0.1')], '0a4d0001'],
  tftpServers: [[ip('10.77.0.1')], '0a4d0001'],
  ipxe: [new Map([[176, Uint8Array.of(1)]]), 'b00101'],
  pxelinuxConfigFile: ['a', '61'],
  pxelinuxPathPrefix: ['a/', '612f'],
  proxyAutodiscovery: ['u', '75'],
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

  test('option 43 for a Raspberry Pi: the menu that its ROM looks for', () => {
    const options = new Map<number, Uint8Array>();
    setOption(options, 'vendorOptions', raspberryPiMenu());
    expect(toHex(options.get(43))).toBe('0601030a0400505845091400001152617370626572727920506920426f6f74ff');
  });

  test('option 175: version and features by name, as snponly.efi sends them', () => {
    const sub = new Map([
      [235, Uint8Array.of(1, 21, 1)],
      [19, Uint8Array.of(1)],
      [36, Uint8Array.of(1)],
      [20, Uint8Array.of(0)],
      [99, Uint8Array.of(1)],
    ]);
    expect(ipxeFacts(sub)).toEqual({ version: '1.21.1', features: ['http', 'efi'] });
    expect(ipxeFacts(new Map())).toEqual({ features: [] });
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

describe('option 119 (RFC 3397)', () => {
  const read = (hexText: string): readonly string[] | undefined =>
    getOption(new Map([[119, Buffer.from(hexText, 'hex')]]), 'domainSearch');

  test('pointers into the option are followed', () => {
    expect(read('0161036c6162000162c002')).toEqual(['a.lab', 'b.lab']);
  });

  const broken: Record<string, [string, string]> = {
    'a pointer to itself': ['c000', 'a name points to byte 0'],
    'a pointer ahead': ['c004016100', 'a name points to byte 4'],
    'a name without an end': ['0161', 'needs 1 bytes'],
    'a label that is too long': ['40', 'a label of 64 bytes is over 63'],
  };
  test.each(Object.entries(broken))('%s is refused', (_what, [bytes, message]) => {
    expect(() => read(bytes)).toThrow(message);
  });
});

test('option 121 with a prefix over 32 is refused', () => {
  expect(() => getOption(new Map([[121, Uint8Array.of(33, 1, 1, 1, 1, 1, 1, 1, 1, 1)]]), 'routes')).toThrow('33 bits');
});
