import { describe, expect, test } from 'vitest';
import { selectSubnet } from '../../server/decide/subnet.js';
import { formatCidr, parseCidr } from '../../server/domain/ipv4.js';
import type { DhcpPacket } from '../../server/wire/dhcp/packet.js';
import { ip, type NamedOptions, request } from '../support/dhcp-packets.js';
import { subnet } from '../support/dhcp-site.js';

const local = subnet({ cidr: parseCidr('10.77.0.0/24') });
const remote = subnet({ cidr: parseCidr('10.78.0.0/24') });
const otherWire = subnet({ cidr: parseCidr('10.79.0.0/24') });
const place = {
  subnets: [local, remote, otherWire],
  interfaceAddresses: [ip('10.77.0.1')],
  ownAddresses: [ip('10.77.0.1'), ip('10.79.0.1')],
};
const packet = (options: NamedOptions = {}, fields: Partial<DhcpPacket> = {}): DhcpPacket =>
  request('52:54:00:00:00:01', options, fields);
const link = (address: string): NamedOptions => ({
  relayAgent: new Map([[5, Uint8Array.from(address.split('.').map(Number))]]),
});

describe('which subnet', () => {
  const cases: Record<string, [DhcpPacket, string]> = {
    'no relay: the one of the interface': [packet(), '10.77.0.0/24'],
    'a relay: the one of giaddr': [packet({}, { giaddr: ip('10.78.0.1') }), '10.78.0.0/24'],
    'link selection before giaddr (RFC 3527)': [packet(link('10.78.0.0'), { giaddr: ip('10.77.0.9') }), '10.78.0.0/24'],
    'subnet selection before giaddr (RFC 3011)': [
      packet({ subnetSelection: ip('10.78.0.0') }, { giaddr: ip('10.77.0.9') }),
      '10.78.0.0/24',
    ],
    'link selection without a relay (giaddr 0) is not believed': [packet(link('10.78.0.0')), '10.77.0.0/24'],
    'subnet selection of a client that asks for others (RFC 3011)': [
      packet({ subnetSelection: ip('10.78.0.0') }),
      '10.78.0.0/24',
    ],
    'a renewal by unicast from behind a relay: the one of its address': [
      packet({}, { ciaddr: ip('10.78.0.7') }),
      '10.78.0.0/24',
    ],
    'an address of another wire of ours: it has moved here': [packet({}, { ciaddr: ip('10.79.0.7') }), '10.77.0.0/24'],
    'an address of nowhere: the one of the interface': [packet({}, { ciaddr: ip('192.168.1.7') }), '10.77.0.0/24'],
  };
  test.each(Object.entries(cases))('%s', (_sentence, [request, cidr]) => {
    const choice = selectSubnet(request, place);
    expect(choice.kind === 'subnet' ? formatCidr(choice.subnet.cidr) : choice.reason).toBe(cidr);
  });

  test('none: a relay from a network that is not configured', () => {
    expect(selectSubnet(packet({}, { giaddr: ip('172.16.0.1') }), place)).toEqual({
      kind: 'none',
      reason: 'no subnet holds 172.16.0.1, which the relay or client named',
    });
  });

  test('none: an interface without a subnet', () => {
    expect(selectSubnet(packet(), { ...place, interfaceAddresses: [ip('172.16.0.1')] })).toMatchObject({
      kind: 'none',
    });
  });
});
