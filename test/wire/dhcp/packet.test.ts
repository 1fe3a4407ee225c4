import { describe, expect, test } from 'vitest';
import { optionField } from '../../../server/wire/dhcp/option-table.js';
import { getOption } from '../../../server/wire/dhcp/options.js';
import {
  clientMac,
  type DhcpPacket,
  decodePacket,
  encodePacket,
  replyLimit,
} from '../../../server/wire/dhcp/packet.js';
import { printPacket } from '../../../server/wire/dhcp/print.js';
import { client, ip, request, utf8 } from '../../support/dhcp-packets.js';
import { expectRoundTrip } from '../../support/wire-codec.js';

const MAC = '52:54:00:00:00:01';
const discover = request(MAC, { messageType: 'discover', ...client.uefi, requestList: [1, 3, 6] });
/** With options that are compared by what they are, however they are kept. */
const decoded = (bytes: Uint8Array): DhcpPacket => {
  const packet = decodePacket(bytes);
  return { ...packet, options: new Map(packet.options) };
};
const roundTrip = (packet: DhcpPacket): Uint8Array => expectRoundTrip(packet, encodePacket, decoded);
const withOption = (code: number, bytes: Uint8Array): DhcpPacket => ({
  ...discover,
  options: new Map(discover.options).set(code, bytes),
});

describe('a packet survives encode and decode', () => {
  test('a client request, padded to 300 bytes', () => {
    expect(roundTrip(discover)).toHaveLength(300);
  });

  test('every header field and both name fields', () => {
    roundTrip({
      ...discover,
      op: 'reply',
      hops: 3,
      xid: 0xfedcba98,
      secs: 65535,
      flags: { broadcast: true, reserved: 0x7fff },
      ciaddr: ip('10.0.0.1'),
      yiaddr: ip('255.255.255.255'),
      siaddr: ip('10.0.0.3'),
      giaddr: ip('10.0.0.4'),
      sname: 's'.repeat(64),
      file: 'f'.repeat(128),
    });
  });

  test('an option without a row keeps its bytes', () => {
    roundTrip(withOption(224, Uint8Array.of(0, 255, 1)));
  });

  test('an option over 255 bytes goes out in pieces and comes back whole (RFC 3396)', () => {
    const long = Uint8Array.from({ length: 600 }, (_, i) => i & 255);
    const bytes = roundTrip(withOption(224, long));
    expect(bytes.length).toBeGreaterThan(840);
  });

  test('an empty option stays', () => {
    roundTrip(withOption(80, new Uint8Array(0)));
  });
});

describe('options that do not fit are written into file and sname (option 52)', () => {
  const reply: DhcpPacket = { ...discover, op: 'reply', options: new Map() };
  const filled = (sizes: readonly number[], fields: Partial<DhcpPacket> = {}): DhcpPacket => ({
    ...reply,
    ...fields,
    options: new Map([
      [53, Uint8Array.of(2)],
      [54, Uint8Array.of(10, 77, 0, 1)],
      ...sizes.map((size, i): [number, Uint8Array] => [224 + i, new Uint8Array(size).fill(i + 1)]),
      [82, Uint8Array.of(1, 1, 7)],
    ]),
  });
  const sameOptions = (packet: DhcpPacket, limit: number): Uint8Array => {
    const bytes = encodePacket(packet, limit);
    const byCode = ({ options }: DhcpPacket): [number, Uint8Array][] => [...options].sort(([a], [b]) => a - b);
    expect(bytes.length).toBeLessThanOrEqual(limit);
    expect(byCode(decodePacket(bytes))).toEqual(byCode(packet));
    return bytes;
  };

  test('not as long as there is room', () => {
    expect(decoded(encodePacket(filled([200]), 548))).toEqual(filled([200]));
  });

  test('both fields, with option 82 still the last of the options field', () => {
    const bytes = sameOptions(filled([200, 120, 60, 40, 20]), 548);
    const text = Buffer.from(bytes.subarray(240)).toString('hex');
    expect(text).toContain('3401035203010107ff');
  });

  test('a boot file stays in file: only sname is used', () => {
    const packet = filled([250, 30], { file: 'a.efi' });
    const decoded = decodePacket(sameOptions(packet, 548));
    expect(decoded.file).toBe('a.efi');
  });

  test('an option that is longer than both fields stays, whatever its place', () => {
    sameOptions(filled([60, 250, 60]), 548 + 80);
  });

  test('what does not fit even so is an error, never cut', () => {
    expect(() => encodePacket(filled([250, 250]), 548)).toThrow('the packet may have 548 in all');
  });
});

describe('reading what clients send', () => {
  const raw = (tail: number[], sname: number[] = [], file: number[] = []): Uint8Array => {
    const bytes = encodePacket({ ...discover, options: new Map() }).slice(0, 240);
    bytes.set(sname, 44);
    bytes.set(file, 108);
    return Uint8Array.of(...bytes, ...tail);
  };

  test('overload: options go on in file, then in sname', () => {
    const packet = decodePacket(raw([52, 1, 3, 224, 1, 1, 255], [224, 1, 3, 255], [224, 1, 2, 255]));
    expect(packet.options.get(224)).toEqual(Uint8Array.of(1, 2, 3));
    expect(packet.options.has(52)).toBe(false);
    expect([packet.file, packet.sname]).toEqual(['', '']);
  });

  test('overload of sname only leaves file a name', () => {
    const packet = decodePacket(raw([52, 1, 2, 255], [12, 1, 97, 255], [120, 121]));
    expect(getOption(packet.options, 'hostName')).toBe('a');
    expect(packet.file).toBe('xy');
  });

  test('padding between options, and no END at all', () => {
    expect(decodePacket(raw([0, 0, 53, 1, 1, 0, 12, 1, 97])).options.size).toBe(2);
  });

  test('what follows END is not read', () => {
    expect(decodePacket(raw([255, 53, 99])).options.size).toBe(0);
  });

  const broken: Record<string, Uint8Array> = {
    'op: 7 is neither request (1) nor reply (2)': Uint8Array.of(7, ...raw([]).slice(1)),
    'hlen: 17 is over 16, the size of chaddr': Uint8Array.of(1, 1, 17, ...raw([]).slice(3)),
    'magic cookie: is missing: plain BOOTP without options is not served': raw([]).fill(0, 236, 240),
    'option 51 (lease-time): needs 4 bytes at offset 242, the packet has 3 left': raw([51, 4, 0, 0, 0]),
    'option 51 (lease-time), length: needs 1 bytes at offset 241, the packet has 0 left': raw([51]),
    'option 52 (overload): is 2 bytes long instead of 1': raw([52, 2, 1, 1]),
    'option 52 (overload): 4 is over 3': raw([52, 1, 4]),
    'chaddr: needs 16 bytes at offset 28, the packet has 2 left': raw([]).slice(0, 30),
  };
  test.each(Object.entries(broken))('%s', (message, bytes) => {
    expect(() => decodePacket(bytes)).toThrow(message);
  });

  test('other hardware than Ethernet has no MAC', () => {
    expect(clientMac(discover)).toBe(MAC);
    expect(() => clientMac({ ...discover, htype: 32, hlen: 0 })).toThrow('hardware type 32 with 0 bytes');
    const of = (...bytes: number[]) => ({
      ...discover,
      chaddr: Uint8Array.of(...bytes, ...new Array<number>(10).fill(0)),
    });
    expect(() => clientMac(of(255, 255, 255, 255, 255, 255))).toThrow('is not a machine’s');
    expect(() => clientMac(of(1, 0, 94, 0, 0, 1))).toThrow('is not a machine’s');
    expect(() => clientMac(of(0, 0, 0, 0, 0, 0))).toThrow('is not a machine’s');
  });
});

describe('writing refuses what does not fit', () => {
  const cases: Record<string, () => unknown> = {
    'file: is 129 bytes long, at most 128 fit': () => encodePacket({ ...discover, file: 'f'.repeat(129) }),
    'file: holds the character U+20ac': () => encodePacket({ ...discover, file: '€' }),
    'the packet may have 548 in all': () => encodePacket(withOption(224, new Uint8Array(400)), 548),
    [`${optionField(0)}: is not an option that can be sent`]: () => encodePacket(withOption(0, utf8('x'))),
  };
  test.each(Object.entries(cases))('%s', (message, run) => {
    expect(run).toThrow(message);
  });

  test('the limit of a reply is what the client can take, within a datagram of 576 to 1500', () => {
    const limit = (maxMessageSize?: number): number =>
      replyLimit(
        request(MAC, { messageType: 'discover', ...(maxMessageSize === undefined ? {} : { maxMessageSize }) }),
      );
    expect([limit(), limit(300), limit(1260), limit(65535)]).toEqual([548, 548, 1232, 1472]);
  });
});

test('a dump names every known option and marks what is malformed', () => {
  const packet = withOption(51, Uint8Array.of(1));
  expect(printPacket({ ...packet, options: new Map(packet.options).set(224, utf8('hi')) })).toBe(
    `request xid 0x12345678 secs 0 hops 0
chaddr 525400000001 htype 1 hlen 6
option 53 (message-type): discover
option 60 (vendor-class): "PXEClient:Arch:00007:UNDI:003000"
option 93 (client-arch): 7
option 94 (client-network-interface): 1 3 0
option 55 (request-list): 1 3 6
option 51 (lease-time): 01 (malformed: option 51 (lease-time): is 1 bytes long instead of 4)
option 224: 6869
`,
  );
});
