import { describe, expect, test } from 'vitest';
import type { BootOffer } from '../../server/boot/contract.js';
import { classifyDhcp } from '../../server/decide/classify.js';
import type { DhcpDecision, DhcpReply } from '../../server/decide/dhcp-decision.js';
import { decideDhcp } from '../../server/decide/offer.js';
import { decideSecondLeg } from '../../server/decide/proxy.js';
import { formatIpv4 } from '../../server/domain/ipv4.js';
import { getOption } from '../../server/wire/dhcp/options.js';
import { type DhcpPacket, encodePacket } from '../../server/wire/dhcp/packet.js';
import { client, ip, type NamedOptions, namedOptions, request, utf8 } from '../support/dhcp-packets.js';
import { RuleSite } from '../support/dhcp-rules.js';
import { identity, subnet } from '../support/dhcp-site.js';

const MAC = '52:54:00:00:00:0a';
const URL_OF_SCRIPT = 'http://10.77.0.1:8080/boot/ipxe/52-54-00-00-00-0a';
const script: BootOffer = { kind: 'script', url: URL_OF_SCRIPT, reason: 'iPXE asks' };
const loader = (file: string, proxyStyle?: 'first-offer' | 'second-leg'): BootOffer => ({
  kind: 'loader',
  file,
  loader: 'snponly',
  reason: 'test',
  ...(proxyStyle === undefined ? {} : { proxyStyle }),
});

function decide(packet: DhcpPacket, offer: BootOffer, how: typeof decideDhcp = decideDhcp): DhcpDecision {
  return how(packet, {
    facts: classifyDhcp(packet),
    subnet: subnet({ mode: 'proxy' }),
    identity,
    serverId: identity.address,
    ownAddresses: [identity.address],
    addresses: new RuleSite().leases,
    bootOffer: () => offer,
    now: 1_000_000,
  });
}

function reply(packet: DhcpPacket, offer: BootOffer, how: typeof decideDhcp = decideDhcp): DhcpReply {
  const decision = decide(packet, offer, how);
  if (decision.kind !== 'reply') throw new Error(`no reply: ${JSON.stringify(decision)}`);
  return decision;
}

const discover = (options: NamedOptions): DhcpPacket => request(MAC, { messageType: 'discover', ...options });
const on4011 = (options: NamedOptions, ciaddr = '10.77.0.120'): DhcpPacket =>
  request(MAC, { messageType: 'request', ...options }, { ciaddr: ip(ciaddr) });

/** What a firmware reads of an offer. */
function facts({ message, path }: DhcpReply): Record<string, unknown> {
  return {
    type: getOption(message.options, 'messageType'),
    yiaddr: formatIpv4(message.yiaddr),
    siaddr: formatIpv4(message.siaddr),
    file: message.file,
    option67: getOption(message.options, 'bootFile'),
    class: getOption(message.options, 'vendorClass'),
    option43: getOption(message.options, 'vendorOptions'),
    path: path.kind,
  };
}
const control = new Map([[6, Uint8Array.of(8)]]);
const offered = { type: 'offer', yiaddr: '0.0.0.0', siaddr: '10.77.0.1', path: 'broadcast' };

describe('the offer of a proxy has no address and is broadcast', () => {
  const rows: Readonly<Record<string, readonly [NamedOptions, BootOffer, Record<string, unknown>]>> = {
    'first-offer: discovery control, take this file': [
      client.bios,
      loader('undionly.kpxe', 'first-offer'),
      { file: 'undionly.kpxe', option67: 'undionly.kpxe', class: 'PXEClient', option43: control },
    ],
    'second-leg: no option 43, so that UEFI ROMs ask on port 4011': [
      client.uefi,
      loader('snponly.efi', 'second-leg'),
      { file: 'snponly.efi', option67: 'snponly.efi', class: 'PXEClient', option43: undefined },
    ],
    'iPXE: its script at once, it waits 2 s only': [
      client.ipxe,
      script,
      { file: URL_OF_SCRIPT, option67: URL_OF_SCRIPT, class: 'PXEClient', option43: control },
    ],
    'UEFI HTTP Boot: class HTTPClient and a URL': [
      client.http,
      loader('http://10.77.0.1:8080/boot/snponly.efi'),
      {
        file: 'http://10.77.0.1:8080/boot/snponly.efi',
        option67: 'http://10.77.0.1:8080/boot/snponly.efi',
        class: 'HTTPClient',
        option43: undefined,
      },
    ],
  };
  test.each(Object.entries(rows))('%s', (_name, [options, offer, expected]) => {
    expect(facts(reply(discover(options), offer))).toEqual({ ...offered, ...expected });
  });

  test('nothing that belongs to a lease or to a network is in it', () => {
    const { message, change, hold } = reply(discover(client.bios), loader('undionly.kpxe', 'first-offer'));
    expect([change, hold]).toEqual([undefined, undefined]);
    expect([...message.options.keys()].sort((a, b) => a - b)).toEqual([43, 53, 54, 60, 66, 67]);
    expect(encodePacket(message, 1472).length).toBeGreaterThanOrEqual(300);
  });

  test('through a relay it goes to the relay', () => {
    const packet = { ...discover(client.uefi), giaddr: ip('10.77.0.254') };
    expect(reply(packet, loader('snponly.efi', 'second-leg')).path).toEqual({ kind: 'relay', to: ip('10.77.0.254') });
  });
});

describe('silence, without an event', () => {
  const os: Readonly<Record<string, DhcpPacket>> = {
    DISCOVER: discover({}),
    'REQUEST for the address of the other server': request(MAC, {
      messageType: 'request',
      serverId: ip('10.77.0.2'),
      requestedAddress: ip('10.77.0.120'),
    }),
    'REQUEST for an address of another network': request(MAC, {
      messageType: 'request',
      requestedAddress: ip('192.168.1.5'),
    }),
    RELEASE: request(MAC, { messageType: 'release', serverId: identity.address }, { ciaddr: ip('10.77.0.120') }),
    INFORM: request(MAC, { messageType: 'inform' }, { ciaddr: ip('10.77.0.120') }),
    BOOTP: request(MAC, {}),
  };
  test.each(Object.entries(os))('an operating system: %s', (_name, packet) => {
    expect(decide(packet, script)).toMatchObject({ kind: 'ignore', quiet: true });
  });

  test('firmware that asks for an address of another network gets no NAK', () => {
    const packet = request(MAC, { messageType: 'request', requestedAddress: ip('192.168.1.5'), ...client.uefi });
    expect(decide(packet, script)).toMatchObject({ kind: 'ignore', quiet: true });
  });
});

test('a machine that boots nothing gets no offer, and the reason is told', () => {
  expect(decide(discover(client.bios), { kind: 'none', reason: 'it has no role' })).toEqual({
    kind: 'ignore',
    reason: 'no boot file: it has no role',
  });
});

describe('the address of this boot', () => {
  const select = (address: string, server: string): DhcpPacket =>
    request(MAC, {
      messageType: 'request',
      serverId: ip(server),
      requestedAddress: ip(address),
      ...client.uefi,
    });

  test('is overheard: the REQUEST to the other server is a broadcast', () => {
    expect(decide(select('10.77.0.120', '10.77.0.2'), script)).toMatchObject({
      kind: 'note',
      step: {
        message: 'request',
        mode: 'proxy',
        address: ip('10.77.0.120'),
        text: 'takes 10.77.0.120, given by 10.77.0.2',
      },
    });
  });

  test.each([
    ['of this server', '10.77.0.1'],
    ['outside of the subnet', '10.78.0.5'],
    ['that is none', '0.0.0.0'],
  ])('is not one %s', (_name, address) => {
    expect(decide(select(address, '10.77.0.2'), script)).toMatchObject({ kind: 'ignore', quiet: true });
  });

  test('is what a request on port 4011 comes from', () => {
    const { step, ...answer } = reply(on4011(client.uefi), loader('snponly.efi', 'second-leg'), decideSecondLeg);
    expect(step).toMatchObject({ message: 'ack', mode: 'proxy', address: ip('10.77.0.120') });
    expect(facts({ step, ...answer })).toMatchObject({
      type: 'ack',
      yiaddr: '0.0.0.0',
      file: 'snponly.efi',
      class: 'PXEClient',
    });
    expect(formatIpv4(answer.message.ciaddr)).toBe('10.77.0.120');
  });
});

describe('port 4011', () => {
  test('repeats the boot item that was asked for', () => {
    const item = Uint8Array.of(0, 0, 0, 0);
    const packet = on4011({ ...client.bios, vendorOptions: new Map([[71, item]]) });
    const { message } = reply(packet, loader('undionly.kpxe', 'first-offer'), decideSecondLeg);
    expect(getOption(message.options, 'vendorOptions')).toEqual(new Map([[71, item]]));
  });

  test('answers INFORM, and iPXE with its script', () => {
    const packet = {
      ...on4011(client.ipxe),
      options: namedOptions({ messageType: 'inform', userClass: utf8('iPXE') }),
    };
    expect(reply(packet, script, decideSecondLeg).message.file).toBe(URL_OF_SCRIPT);
  });

  const refused: Readonly<Record<string, DhcpPacket>> = {
    'an operating system': on4011({}),
    'a DISCOVER': request(MAC, { messageType: 'discover', ...client.uefi }, { ciaddr: ip('10.77.0.120') }),
    'a client without an address': on4011(client.uefi, '0.0.0.0'),
    'a client of another network': on4011(client.uefi, '10.78.0.5'),
  };
  test.each(Object.entries(refused))('does not answer %s', (_name, packet) => {
    expect(decide(packet, script, decideSecondLeg).kind).toBe('ignore');
  });
});
