import { expect, test } from 'vitest';
import { parseIpv4 } from '../../server/domain/ipv4.js';
import { getOption } from '../../server/wire/dhcp/options.js';
import { decodePacket, encodePacket } from '../../server/wire/dhcp/packet.js';
import { addressNumber, addressText, benchMac, dhcpReply, dhcpRequest } from './clients/dhcp-words.js';
import { median, type Run, table } from './table.js';

test('the load client speaks DHCP as the server reads it', () => {
  const packet = decodePacket(
    dhcpRequest({
      type: 3,
      kind: 'ipxe',
      mac: benchMac(0x10000001),
      xid: 0x1234,
      giaddr: addressNumber('10.64.0.1'),
      requested: addressNumber('10.64.0.17'),
      serverId: addressNumber('10.98.0.1'),
    }),
  );
  expect(packet).toMatchObject({ xid: 0x1234, giaddr: parseIpv4('10.64.0.1'), hops: 1 });
  expect([...packet.chaddr.subarray(0, 6)]).toEqual([0x52, 0x54, 0x10, 0, 0, 1]);
  expect(getOption(packet.options, 'messageType')).toBe('request');
  expect(getOption(packet.options, 'requestedAddress')).toBe(parseIpv4('10.64.0.17'));
  expect(getOption(packet.options, 'serverId')).toBe(parseIpv4('10.98.0.1'));
  const reply = encodePacket({ ...packet, op: 'reply', yiaddr: parseIpv4('10.64.0.17'), file: 'boot.efi' });
  const words = dhcpReply(Buffer.from(reply));
  expect(words).toMatchObject({ type: 3, xid: 0x1234, serverId: addressNumber('10.98.0.1'), bootFile: 'boot.efi' });
  expect(addressText(words?.address ?? 0)).toBe('10.64.0.17');
});

test('the table shows medians and how many times better the first server is', () => {
  const run = (server: string, value: number): Run => ({
    kind: 'http',
    what: 'HTTP',
    unit: 'MB/s',
    better: 'more',
    server,
    value,
    failed: 0,
    cpuSeconds: 2,
    rssMiB: 50,
    bytes: 1e9,
  });
  const runs = [run('anybios', 900), run('nginx', 1000), run('anybios', 600), run('nginx', 300), run('anybios', 100)];
  expect(median(runs.filter(({ server }) => server === 'anybios'))?.value).toBe(600);
  expect(table(runs)).toContain('| HTTP | anybios | 600 MB/s |  |  | 2.00 s/GB | 50 | 0 |');
  expect(table(runs)).toContain('| HTTP | nginx | 300 MB/s | 2.00 x |  | 2.00 s/GB | 50 | 0 |');
});
