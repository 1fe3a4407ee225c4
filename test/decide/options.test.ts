import { describe, expect, test } from 'vitest';
import type { DhcpReply } from '../../server/decide/dhcp-decision.js';
import { parseCidr } from '../../server/domain/ipv4.js';
import { parseMac } from '../../server/domain/mac.js';
import type { Machine } from '../../server/domain/machine.js';
import type { Subnet } from '../../server/domain/site.js';
import { getOption } from '../../server/wire/dhcp/options.js';
import type { DhcpPacket } from '../../server/wire/dhcp/packet.js';
import { client, ip, request } from '../support/dhcp-packets.js';
import { RuleSite } from '../support/dhcp-rules.js';

const MAC = '52:54:00:00:00:0a';
const machine = (options: Machine['options']): Machine => ({
  name: 'node1',
  macs: [parseMac(MAC)],
  labels: {},
  ...(options === undefined ? {} : { options }),
});

function reply(
  given: {
    readonly subnet?: Partial<Subnet>;
    readonly role?: Machine['options'];
    readonly machine?: Machine['options'];
  },
  packet: DhcpPacket = request(MAC, { messageType: 'discover' }),
): DhcpReply {
  const site = new RuleSite({ machines: [machine(given.machine)], ...(given.subnet && { subnet: given.subnet }) });
  if (given.role !== undefined) {
    site.boot.role = { name: 'web', profile: 'micro', mode: 'resident', systems: [], params: {}, options: given.role };
  }
  const decision = site.decide(packet);
  if (decision.kind !== 'reply') throw new Error(`no reply: ${JSON.stringify(decision)}`);
  return decision;
}

describe('options that people set', () => {
  test('machine before role before subnet, whatever name each uses', () => {
    const { message } = reply({
      subnet: { options: { ntp: ['10.0.0.1'], mtu: 1500, '224': 'subnet' } },
      role: { 'ntp-servers': ['10.0.0.2'], mtu: 9000 },
      machine: { '42': '10.0.0.3' },
    });
    expect(getOption(message.options, 'ntpServers')).toEqual([ip('10.0.0.3')]);
    expect(getOption(message.options, 'interfaceMtu')).toBe(9000);
    expect(Buffer.from(message.options.get(224) ?? []).toString()).toBe('subnet');
  });

  test('they replace what follows from the subnet', () => {
    const { message } = reply({ machine: { domain: 'other', dns: ['10.0.0.9'] } });
    expect(getOption(message.options, 'domainName')).toBe('other');
    expect(getOption(message.options, 'dnsServers')).toEqual([ip('10.0.0.9')]);
  });

  test('what the firmware needs to boot stays: discovery control of a BIOS ROM beside vendor options for others', () => {
    const options = { vendor: 'hex:0104c0a80001' };
    const bios = reply({ subnet: { options } }, request(MAC, { messageType: 'discover', ...client.bios }));
    expect(bios.message.options.get(43)).toEqual(Uint8Array.of(6, 1, 8, 255));
    expect(reply({ subnet: { options } }).message.options.get(43)).toEqual(Uint8Array.of(1, 4, 0xc0, 0xa8, 0, 1));
  });

  test('a NAK carries none of them', () => {
    const wrong = request(MAC, { messageType: 'request', requestedAddress: ip('192.168.1.9') });
    expect([...reply({ subnet: { options: { '224': 'x' } } }, wrong).message.options.keys()]).toEqual([53, 54, 56]);
  });

  test('option 82 is still the last one', () => {
    const relayed = request(
      MAC,
      { messageType: 'discover', relayAgent: new Map([[1, Uint8Array.of(7)]]), subnetSelection: ip('10.77.0.0') },
      { giaddr: ip('10.77.0.254') },
    );
    const keys = [...reply({ subnet: { options: { '224': 'x' } } }, relayed).message.options.keys()];
    // RFC 3011: the subnet that was chosen by option 118 is confirmed.
    expect([keys.at(-1), keys.includes(118)]).toEqual([82, true]);
  });
});

describe('static routes (option 121, RFC 3442)', () => {
  const routes = (given: Parameters<typeof reply>[0]) => getOption(reply(given).message.options, 'routes');
  const one = { to: parseCidr('10.20.0.0/16'), via: ip('10.77.0.254') };
  const all = parseCidr('0.0.0.0/0');

  test('the default route is added, because option 3 is not read any more', () => {
    expect(routes({ subnet: { options: { routes: ['10.20.0.0/16 via 10.77.0.254'] } } })).toEqual([
      one,
      { to: all, via: ip('10.77.0.1') },
    ]);
  });

  test('by way of the router that a nearer place sets', () => {
    const given = {
      subnet: { options: { '121': ['10.20.0.0/16 via 10.77.0.254'] } },
      machine: { router: ['10.77.0.7'] },
    };
    expect(routes(given)).toEqual([one, { to: all, via: ip('10.77.0.7') }]);
  });

  test('not when one is there, nor to what was written in bytes', () => {
    expect(routes({ machine: { '121': ['default via 10.77.0.9'] } })).toEqual([{ to: all, via: ip('10.77.0.9') }]);
    expect(routes({ machine: { '121': 'hex:100a140a4d00fe' } })).toEqual([one]);
  });
});
