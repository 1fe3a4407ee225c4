import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { parseCidr, parseIpv4, parseRange } from '../../server/domain/ipv4.js';
import { DhcpWire, ip } from '../support/dhcp-namespace.js';
import { type DhcpSite, startDhcpSite, subnet } from '../support/dhcp-site.js';
import { tempFolder } from '../support/temp-folder.js';

const script = fileURLToPath(new URL('../support/dhcp-client-script.sh', import.meta.url));
const VLAN = 20;
const other = (third: number) =>
  subnet({
    cidr: parseCidr(`10.${third}.0.0/24`),
    pools: [parseRange(`10.${third}.0.100-10.${third}.0.110`)],
    router: parseIpv4(`10.${third}.0.1`),
  });

let wire: DhcpWire;
let onBridge: string;
let onPort: string;

beforeAll(() => {
  wire = new DhcpWire('st', '10.77.0.1/24');
  onBridge = wire.addClient('one', '52:54:00:00:00:01');
  onPort = wire.addNamespace('two');
  ip(wire.server, 'link', 'add', 'st1', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', onPort);
  ip(wire.server, 'link', 'set', 'st1', 'up');
  ip(wire.server, 'addr', 'add', '10.78.0.1/24', 'dev', 'st1');
  ip(onPort, 'link', 'set', 'eth0', 'up');
  addVlan();
  ip(wire.server, 'addr', 'add', '10.79.0.1/24', 'dev', 'st1.20');
  ip(wire.server, 'link', 'set', 'st1.20', 'up');
  ip(onPort, 'link', 'set', 'eth0.20', 'up');
});
afterAll(() => wire.remove());

/** The same cable, tagged. A kernel without 802.1Q gets a cable with these names: for a socket bound to a device it is the same. */
function addVlan(): void {
  const vlan = ['type', 'vlan', 'id', String(VLAN)];
  try {
    ip(wire.server, 'link', 'add', 'link', 'st1', 'name', 'st1.20', ...vlan);
  } catch (error) {
    if (!String(error).includes('Unknown device type')) throw error;
    ip(wire.server, 'link', 'add', 'st1.20', 'type', 'veth', 'peer', 'name', 'eth0.20', 'netns', onPort);
    return;
  }
  ip(onPort, 'link', 'add', 'link', 'eth0', 'name', 'eth0.20', ...vlan);
}

async function site(): Promise<DhcpSite> {
  const started = await startDhcpSite({
    wire,
    path: join(tempFolder(), 'anybios.db'),
    subnets: [subnet(), other(78), other(79)],
    interfaces: [wire.bridge, 'st1', 'st1.20'],
  });
  onTestFinished(() => started.close());
  return started;
}

async function udhcpc(namespace: string, device: string): Promise<string> {
  const log = join(tempFolder(), 'log');
  ip(namespace, 'addr', 'flush', 'dev', device);
  const command = ['busybox', 'udhcpc', '-i', device, '-f', '-q', '-n', '-t', '4', '-T', '1', '-s', script];
  const { text } = await wire.run(namespace, ['env', `DHCP_TEST_LOG=${log}`, ...command]);
  const line = /reason=bound.*/.exec(readFileSync(log, 'utf8'))?.[0] ?? text;
  return /address=\S+|server=\S+/g[Symbol.match](line)?.join(' ') ?? line;
}

test('a bridge, a cable and a VLAN on it at once: each machine is answered out of its own interface', async () => {
  const { troubles, server } = await site();
  const lines = await Promise.all([udhcpc(onBridge, 'eth0'), udhcpc(onPort, 'eth0'), udhcpc(onPort, 'eth0.20')]);
  expect(lines).toEqual([
    'address=10.77.0.100 server=10.77.0.1',
    'address=10.78.0.100 server=10.78.0.1',
    'address=10.79.0.100 server=10.79.0.1',
  ]);
  expect(server.counts).toMatchObject({ ignored: 0, malformed: 0, failed: 0 });
  expect(troubles).toEqual([]);
});

test('nmap finds the server and reads its offer', async () => {
  await site();
  ip(onBridge, 'addr', 'replace', '10.77.0.50/24', 'dev', 'eth0');
  const { text } = await wire.run(onBridge, ['nmap', '--script', 'broadcast-dhcp-discover', '-e', 'eth0']);
  expect(text).toContain('Server Identifier: 10.77.0.1');
  expect(text).toMatch(/IP Offered: 10\.77\.0\.1\d\d/);
  expect(text).toContain('Subnet Mask: 255.255.255.0');
});

test('dhcpcd gets an address and keeps to the protocol', async () => {
  const { boot } = await site();
  ip(onBridge, 'addr', 'flush', 'dev', 'eth0');
  const log = join(tempFolder(), 'log');
  const args = ['-4', '-B', '-1', '-A', '--nobackground', '-t', '15', '-c', '/bin/true', '-f', '/dev/null', 'eth0'];
  const { text } = await wire.run(onBridge, ['env', `DHCP_TEST_LOG=${log}`, 'dhcpcd', ...args]);
  expect(text).toMatch(/leased 10\.77\.0\.1\d\d for 3600 seconds/);
  expect(boot.words()).toContain('ack');
});

test('perfdhcp loses nothing at 200 exchanges a second, directly on the wire', async () => {
  const { server } = await site();
  ip(onPort, 'addr', 'replace', '10.78.0.2/24', 'dev', 'eth0');
  // -W: waits for what is under way when the time is over, half a second in us; else it counts as lost.
  const rate = ['-r', '200', '-R', '10', '-p', '2', '-W', '500000'];
  const { text } = await wire.run(onPort, ['perfdhcp', '-4', ...rate, '-l', 'eth0', 'all']);
  expect(text).toMatch(/Rate: \d/);
  expect(text.match(/drops: \d+/g)).toEqual(['drops: 0', 'drops: 0']);
  expect(server.counts).toMatchObject({ malformed: 0, failed: 0 });
});
