import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseRange } from '../../server/domain/ipv4.js';
import { startModesSite } from '../support/dhcp-modes-site.js';
import { DhcpWire } from '../support/dhcp-namespace.js';
import { subnet } from '../support/dhcp-site.js';

/* iPXE, and nobody else, is told that there is no IPv6 router; only where the operator says so. */

let wire: DhcpWire;
let client: string;

beforeAll(() => {
  wire = new DhcpWire('v6', '10.77.0.1/24');
  client = wire.addClient('one', '52:54:00:00:00:61');
});
afterAll(() => wire.remove());

/** One lease as an OS, or as iPXE (user class 77), which udhcpc spells in hex. */
async function lease(kind: 'os' | 'ipxe'): Promise<string> {
  const words = kind === 'ipxe' ? ['-V', 'PXEClient:Arch:00007:UNDI:003010', '-x', '77:69505845', '-x', '93:0007'] : [];
  const command = [
    'busybox',
    'udhcpc',
    '-i',
    'eth0',
    '-f',
    '-q',
    '-n',
    '-t',
    '5',
    '-T',
    '1',
    '-s',
    '/bin/true',
    ...words,
  ];
  return (await wire.run(client, command)).text;
}

test('one router advertisement of lifetime 0, to the card of the machine in iPXE', async () => {
  const filter = 'icmp6 and ip6[40] == 134';
  const capture = wire.spawn(client, ['tcpdump', '-i', 'eth0', '-n', '-e', '-v', '-l', '--immediate-mode', filter]);
  let heard = '';
  let ready = '';
  capture.stdout?.on('data', (chunk: Buffer) => {
    heard += chunk.toString();
  });
  capture.stderr?.on('data', (chunk: Buffer) => {
    ready += chunk.toString();
  });
  await expect.poll(() => ready, { timeout: 10_000 }).toContain('listening on');
  const pool = { pools: [parseRange('10.77.0.100-10.77.0.150')] };

  const silent = await startModesSite(wire, subnet(pool));
  expect(await lease('ipxe')).toContain('obtained');
  await silent.server.close();

  const telling = await startModesSite(wire, subnet({ ...pool, ipv6Router: 'none' }));
  expect(await lease('os')).toContain('obtained');
  expect(heard).toBe('');
  expect(await lease('ipxe')).toContain('obtained');
  await expect.poll(() => heard, { timeout: 10_000 }).toContain('router lifetime 0s');
  await telling.server.close();
  expect(heard).toContain('> 52:54:00:00:00:61');
  expect(heard).toContain('fe80::5054:ff:fe00:61: [icmp6 sum ok] ICMP6, router advertisement');
  expect(heard.match(/router advertisement/g)).toHaveLength(1);
});
