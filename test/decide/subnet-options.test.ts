import { expect, test } from 'vitest';
import { subnetOptions } from '../../server/decide/subnet-options.js';
import { parseIpv4 } from '../../server/domain/ipv4.js';
import { decodePacket, encodePacket } from '../../server/wire/dhcp/packet.js';
import { Scratch } from '../../server/wire/writer.js';
import { client, request } from '../support/dhcp-packets.js';
import { subnet } from '../support/dhcp-site.js';

test('the options of a subnet are made once, and anew when the configuration changes', () => {
  const before = subnet();
  expect(subnetOptions(before)).toBe(subnetOptions(before));
  const after = { ...before, dns: [parseIpv4('10.77.0.53')], leaseSeconds: 60 };
  const { lease, network } = subnetOptions(after);
  expect(network.get(6)).toEqual(Uint8Array.of(10, 77, 0, 53));
  expect(lease.get(51)).toEqual(Uint8Array.of(0, 0, 0, 60));
  expect(subnetOptions(before).network.get(6)).toEqual(Uint8Array.of(10, 77, 0, 1));
});

test('a packet that is encoded where a longer one was has nothing left of it', () => {
  const into = new Scratch(2048);
  const long = { ...request('52:54:00:00:00:01', { messageType: 'discover', ...client.uefi }), file: 'f'.repeat(100) };
  const short = request('52:54:00:00:00:02', { messageType: 'release' });
  encodePacket({ ...long, sname: 'server' }, undefined, into);
  const again = encodePacket(short, undefined, into);
  expect(Buffer.from(again)).toEqual(Buffer.from(encodePacket(short)));
  expect(decodePacket(again).file).toBe('');
});
