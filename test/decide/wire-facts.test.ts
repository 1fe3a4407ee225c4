import { describe, expect, test } from 'vitest';
import { type WirePlace, wireFacts } from '../../server/decide/wire-facts.js';
import type { DhcpPacket } from '../../server/wire/dhcp/packet.js';
import { ip, request } from '../support/dhcp-packets.js';
import { identity, subnet } from '../support/dhcp-site.js';

const MAC = '52:54:00:00:00:0a';
const place: WirePlace = {
  interface: 'eth0',
  mode: 'observe',
  ownAddresses: [identity.address],
  subnets: [subnet()],
};
const rival = ip('10.77.0.2');
const relayed = (giaddr: string, options: Parameters<typeof request>[1] = {}): DhcpPacket =>
  request(MAC, { messageType: 'discover', ...options }, { giaddr: ip(giaddr) });

const rows: Readonly<Record<string, readonly [DhcpPacket, readonly string[], Partial<WirePlace>?]>> = {
  'a DISCOVER says nothing': [request(MAC, { messageType: 'discover' }), []],
  'a REQUEST names the server that it has chosen': [
    request(MAC, { messageType: 'request', serverId: rival, requestedAddress: ip('10.77.0.120') }),
    ['server: another DHCP server, 10.77.0.2, is named by a client’s DHCP request on eth0'],
  ],
  'a REQUEST for us is no news': [request(MAC, { messageType: 'request', serverId: identity.address }), []],
  'an OFFER is of its server': [
    { ...request(MAC, { messageType: 'offer', serverId: rival }), op: 'reply' },
    ['server: another DHCP server, 10.77.0.2, sent a DHCP offer on eth0'],
    { from: rival },
  ],
  'a reply without option 54 (BOOTP) is of where it came from': [
    { ...request(MAC, {}), op: 'reply' },
    ['server: another DHCP server, 10.77.0.2, sent a DHCP BOOTP reply on eth0'],
    { from: rival },
  ],
  'a relay of a configured subnet': [relayed('10.77.0.254'), ['relay: a DHCP relay, 10.77.0.254, forwards to eth0']],
  'a relay of a network that is not configured: a hint at a VLAN': [
    relayed('10.99.0.1'),
    [
      'relay: a DHCP relay, 10.99.0.1, forwards to eth0',
      'network: 10.99.0.1 relays for a network outside of the configured subnets: another VLAN or site is forwarded here',
    ],
  ],
  'a relay that is named as the server (RFC 5107) is not another server': [
    relayed('10.77.0.254', {
      messageType: 'request',
      serverId: ip('10.77.0.254'),
      relayAgent: new Map([[11, Uint8Array.of(10, 77, 0, 254)]]),
    }),
    ['relay: a DHCP relay, 10.77.0.254, forwards to eth0'],
  ],
};

describe('what a packet says of the network', () => {
  test.each(Object.entries(rows))('%s', (_name, [packet, expected, over]) => {
    const found = wireFacts(packet, { ...place, ...over }).map(({ kind, text }) => `${kind}: ${text}`);
    expect(found).toEqual(expected);
  });

  test('option 82 is kept with its relay', () => {
    const [fact] = wireFacts(relayed('10.77.0.254', { relayAgent: new Map([[1, Uint8Array.of(0, 4, 0, 20)]]) }), place);
    expect(fact?.data).toEqual({ relay: '10.77.0.254', circuitId: '00040014' });
  });
});
