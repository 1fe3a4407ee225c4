import { describe, expect, test } from 'vitest';
import type { BootOffer, DhcpBoot } from '../../server/boot/contract.js';
import type { DhcpReply } from '../../server/decide/dhcp-decision.js';
import { formatIpv4, parseCidr } from '../../server/domain/ipv4.js';
import { parseMac } from '../../server/domain/mac.js';
import type { Machine } from '../../server/domain/machine.js';
import { OPTIONS, type OptionName } from '../../server/wire/dhcp/option-table.js';
import { getOption } from '../../server/wire/dhcp/options.js';
import { type DhcpPacket, encodePacket } from '../../server/wire/dhcp/packet.js';
import { client, ip, type NamedOptions, namedOptions, request, utf8 } from '../support/dhcp-packets.js';
import { RuleSite } from '../support/dhcp-rules.js';
import { SiteBoot } from '../support/dhcp-site.js';

const MAC = '52:54:00:00:00:0a';

function reply(packet: DhcpPacket, site = new RuleSite(), boot: DhcpBoot = site.boot): DhcpReply {
  const decision = site.decide(packet, boot);
  if (decision.kind !== 'reply') throw new Error(`no reply: ${JSON.stringify(decision)}`);
  return decision;
}
const discover = (options: NamedOptions = {}, fields: Partial<DhcpPacket> = {}): DhcpPacket =>
  request(MAC, { messageType: 'discover', ...options }, fields);
const option = <N extends OptionName>(message: DhcpPacket, name: N): ReturnType<typeof getOption<N>> =>
  getOption(message.options, name);

describe('what each firmware is told (docs/hardware.md)', () => {
  test('BIOS PXE: next server, file in header and option 67, class and discovery control 8', () => {
    const { message } = reply(discover(client.bios));
    expect([formatIpv4(message.siaddr), message.file]).toEqual(['10.77.0.1', 'undionly.kpxe']);
    expect(option(message, 'tftpServerName')).toBe('10.77.0.1');
    expect(option(message, 'bootFile')).toBe('undionly.kpxe');
    expect(option(message, 'vendorClass')).toBe('PXEClient');
    expect(option(message, 'vendorOptions')).toEqual(new Map([[6, Uint8Array.of(8)]]));
  });

  test('Raspberry Pi: the menu that its ROM looks for, and where its files lie', () => {
    const boot = new SiteBoot();
    boot.bootOffer = (): BootOffer => ({ kind: 'loader', file: 'bootcode.bin', loader: 'site', reason: 'test' });
    const pi = request('dc:a6:32:00:00:01', { messageType: 'discover', ...client.bios });
    const { message } = reply(pi, new RuleSite(), boot);
    expect(Buffer.from(message.options.get(43) ?? []).toString('latin1')).toContain('Raspberry Pi Boot');
    expect(option(message, 'vendorClass')).toBe('PXEClient');
    expect([option(message, 'tftpServerName'), formatIpv4(message.siaddr)]).toEqual(['10.77.0.1', '10.77.0.1']);
  });

  test('x64 UEFI PXE: the same names, without class and discovery control', () => {
    const { message } = reply(discover(client.uefi));
    expect([formatIpv4(message.siaddr), message.file]).toEqual(['10.77.0.1', 'shimx64.efi']);
    expect(option(message, 'bootFile')).toBe('shimx64.efi');
    expect(option(message, 'vendorClass')).toBeUndefined();
    expect(option(message, 'vendorOptions')).toBeUndefined();
  });

  test('UEFI HTTP Boot: class HTTPClient and a URL in option 67, nothing for TFTP', () => {
    const { message } = reply(discover(client.http));
    expect(option(message, 'vendorClass')).toBe('HTTPClient');
    expect(option(message, 'bootFile')).toBe('http://10.77.0.1:8080/boot/snponly.efi');
    expect([message.siaddr, message.file]).toEqual([0, '']);
  });

  test('iPXE: the script, and that no proxy DHCP server need be waited for', () => {
    const { message } = reply(discover(client.ipxe));
    expect(message.file).toBe('http://10.77.0.1:8080/boot/ipxe/52-54-00-00-00-0a');
    expect(option(message, 'bootFile')).toBe(message.file);
    expect(option(message, 'ipxe')).toEqual(new Map([[176, Uint8Array.of(1)]]));
  });

  test('iPXE: a script URL that is too long for the header stands in option 67 only', () => {
    const url = `http://10.77.0.1:8080/${'x'.repeat(150)}`;
    const boot = new SiteBoot();
    boot.bootOffer = (): BootOffer => ({ kind: 'script', url, reason: 'test' });
    const { message } = reply(discover(client.ipxe), new RuleSite(), boot);
    expect([message.file, option(message, 'bootFile')]).toEqual(['', url]);
  });

  test('nothing to boot: an address and no trace of a boot file', () => {
    const boot = new SiteBoot();
    boot.bootOffer = (): BootOffer => ({ kind: 'none', reason: 'unknown machine' });
    const { message, step } = reply(discover(client.uefi), new RuleSite(), boot);
    expect([message.siaddr, message.file, option(message, 'bootFile')]).toEqual([0, '', undefined]);
    expect(step).toMatchObject({
      text: 'offered 10.77.0.100 (free), no boot file: unknown machine',
      data: { boot: 'unknown machine' },
    });
  });

  test('an operating system: an address, never a boot file', () => {
    const { message } = reply(discover());
    expect([message.siaddr, message.file, option(message, 'bootFile')]).toEqual([0, '', undefined]);
  });
});

describe('the options of the subnet', () => {
  test('lease times, mask, router, DNS, domain, broadcast and the name of the machine', () => {
    const machine: Machine = { name: 'node1', macs: [parseMac(MAC)], labels: {} };
    const site = new RuleSite({ machines: [machine], subnet: { domain: 'lab', cidr: parseCidr('10.77.0.0/16') } });
    const { message } = reply(discover(), site);
    expect([option(message, 'leaseTime'), option(message, 'renewalTime'), option(message, 'rebindingTime')]).toEqual([
      3600, 1800, 3150,
    ]);
    expect(option(message, 'subnetMask')).toBe(ip('255.255.0.0'));
    expect(option(message, 'routers')).toEqual([ip('10.77.0.1')]);
    expect(option(message, 'dnsServers')).toEqual([ip('10.77.0.1')]);
    expect(option(message, 'broadcastAddress')).toBe(ip('10.77.255.255'));
    expect([option(message, 'domainName'), option(message, 'hostName')]).toEqual(['lab', 'node1']);
  });

  test('INFORM: the same without address and lease times', () => {
    const { message, path } = reply(request(MAC, { messageType: 'inform' }, { ciaddr: ip('10.77.0.9') }));
    expect([message.yiaddr, option(message, 'leaseTime'), option(message, 'renewalTime')]).toEqual([
      0,
      undefined,
      undefined,
    ]);
    expect(option(message, 'subnetMask')).toBe(ip('255.255.255.0'));
    expect(path).toEqual({ kind: 'unicast', to: ip('10.77.0.9') });
  });
});

describe('the invariants of a reply', () => {
  const clientUuid = Uint8Array.from({ length: 17 }, (_, i) => i && 7);
  const relayed = discover(
    {
      relayAgent: new Map([[1, utf8('port 7')]]),
      clientId: Uint8Array.of(1, 2, 3),
      clientUuid,
      hostName: 'x',
    },
    { xid: 0xabcdef01, secs: 9, hops: 2, giaddr: ip('10.77.0.254'), flags: { broadcast: false, reserved: 5 } },
  );

  test('xid, hardware address, flags and giaddr come back; client id, machine id and, last, option 82', () => {
    const { message, path } = reply(relayed);
    expect(message).toMatchObject({
      op: 'reply',
      htype: 1,
      hlen: 6,
      hops: 0,
      xid: relayed.xid,
      secs: 0,
      chaddr: relayed.chaddr,
      giaddr: relayed.giaddr,
      flags: relayed.flags,
    });
    expect([...message.options.keys()].slice(-3)).toEqual([
      OPTIONS.clientUuid.code,
      OPTIONS.clientId.code,
      OPTIONS.relayAgent.code,
    ]);
    expect(message.options.get(82)).toEqual(namedOptions({ relayAgent: new Map([[1, utf8('port 7')]]) }).get(82));
    expect([...message.options.keys()].slice(0, 2)).toEqual([OPTIONS.messageType.code, OPTIONS.serverId.code]);
    expect(path).toEqual({ kind: 'relay', to: ip('10.77.0.254') });
    expect(encodePacket(message).length).toBeGreaterThanOrEqual(300);
  });

  test('a NAK carries no address and no options but its reason; through a relay it is to be broadcast', () => {
    const remembered = request(
      MAC,
      { messageType: 'request', requestedAddress: ip('192.168.1.9'), clientId: Uint8Array.of(9) },
      { giaddr: ip('10.77.0.254') },
    );
    const { message, path, change } = reply(remembered);
    expect([...message.options.keys()]).toEqual([53, 54, 56, 61]);
    expect(message).toMatchObject({ yiaddr: 0, ciaddr: 0, siaddr: 0, file: '', flags: { broadcast: true } });
    expect([path.kind, change]).toEqual(['relay', undefined]);
  });

  test('only an ACK repeats the address that the client has', () => {
    const site = new RuleSite();
    const renewing = request(MAC, { messageType: 'request' }, { ciaddr: ip('10.77.0.100') });
    expect(reply(renewing, site).message.ciaddr).toBe(ip('10.77.0.100'));
    expect(reply(discover({}, { ciaddr: ip('10.77.0.100') }), site).message.ciaddr).toBe(0);
  });
});

describe('where a reply goes', () => {
  const cases: Record<string, [DhcpPacket, object]> = {
    'through the relay that sent it': [
      discover({}, { giaddr: ip('10.77.0.254') }),
      { kind: 'relay', to: ip('10.77.0.254') },
    ],
    'to a client that has its address': [
      request(MAC, { messageType: 'request' }, { ciaddr: ip('10.77.0.100') }),
      { kind: 'unicast', to: ip('10.77.0.100') },
    ],
    'broadcast when the client asks for that': [
      discover({}, { flags: { broadcast: true, reserved: 0 } }),
      { kind: 'broadcast' },
    ],
    'to the MAC of a client that has no address yet': [discover(), { kind: 'link', to: ip('10.77.0.100'), mac: MAC }],
    'a NAK by broadcast, whatever the client says': [
      request(MAC, { messageType: 'request', requestedAddress: ip('192.168.1.9') }),
      { kind: 'broadcast' },
    ],
  };
  test.each(Object.entries(cases))('%s', (_sentence, [packet, path]) => {
    expect(reply(packet).path).toEqual(path);
  });
});

describe('what is not answered, and why', () => {
  const cases: Record<string, DhcpPacket> = {
    'a reply of another server, not a request': discover({}, { op: 'reply' }),
    'a client cannot send a DHCP offer': request(MAC, { messageType: 'offer' }),
    'BOOTP without a DHCP message type (option 53) is not served': request(MAC, client.bios),
  };
  test.each(Object.entries(cases))('%s', (reason, packet) => {
    expect(new RuleSite().decide(packet)).toEqual({ kind: 'ignore', reason });
  });

  test.each(['off', 'observe'] as const)('a subnet in mode %s, without an event', (mode) => {
    expect(new RuleSite({ subnet: { mode } }).decide(discover())).toEqual({
      kind: 'ignore',
      reason: `the subnet 10.77.0.0/24 is in mode ${mode}: nothing is answered`,
      quiet: true,
    });
  });
});
