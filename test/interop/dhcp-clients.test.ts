import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { formatIpv4, parseIpv4, parseRange } from '../../server/domain/ipv4.js';
import { parseMac } from '../../server/domain/mac.js';
import type { Machine } from '../../server/domain/machine.js';
import { DhcpWire, ip } from '../support/dhcp-namespace.js';
import { type DhcpSite, startDhcpSite, subnet } from '../support/dhcp-site.js';
import { tempFolder } from '../support/temp-folder.js';

const script = fileURLToPath(new URL('../support/dhcp-client-script.sh', import.meta.url));
const npmClient = fileURLToPath(new URL('../support/dhcp-npm-client.mjs', import.meta.url));
const MAC = { node1: '52:54:00:00:00:01', node2: '52:54:00:00:00:02' };
const reserved: Machine = {
  name: 'node1',
  macs: [parseMac(MAC.node1)],
  address: parseIpv4('10.77.0.11'),
  labels: {},
};

let wire: DhcpWire;
let one: string;
let two: string;

beforeAll(() => {
  wire = new DhcpWire('clients', '10.77.0.1/24');
  one = wire.addClient('one', MAC.node1);
  two = wire.addClient('two', MAC.node2);
});
afterAll(() => wire.remove());

async function site(over: Partial<Parameters<typeof startDhcpSite>[0]> = {}): Promise<DhcpSite> {
  const started = await startDhcpSite({ wire, path: join(tempFolder(), 'anybios.db'), ...over });
  onTestFinished(() => started.close());
  return started;
}

/** Runs busybox udhcpc once; returns what it told its script, or what it printed when it got nothing. */
async function udhcpc(namespace: string, ...args: string[]): Promise<string> {
  const log = join(tempFolder(), 'log');
  ip(namespace, 'addr', 'flush', 'dev', 'eth0');
  const command = ['busybox', 'udhcpc', '-i', 'eth0', '-f', '-q', '-n', '-t', '3', '-T', '1', '-s', script, ...args];
  const { text } = await wire.run(namespace, ['env', `DHCP_TEST_LOG=${log}`, ...command]);
  return /reason=bound.*/.exec(readFileSync(log, 'utf8'))?.[0] ?? text;
}

describe('udhcpc', () => {
  test('gets the reserved address of its machine and the options of the subnet', async () => {
    const { boot, leases, troubles } = await site({ machines: [reserved], subnets: [subnet({ domain: 'lab' })] });
    expect(await udhcpc(one, '-O', 'hostname')).toBe(
      'reason=bound address=10.77.0.11 mask=255.255.255.0 lease=3600 router=10.77.0.1 server=10.77.0.1 hostname=node1 domain=lab dns=10.77.0.1',
    );
    expect(boot.words()).toEqual(['discover', 'offer', 'request', 'ack']);
    // udhcpc sets no broadcast flag: the answers went to its MAC although it had no address.
    expect(boot.steps[1]?.data).toMatchObject({ path: `unicast ${MAC.node1}` });
    expect(leases.leaseAt(parseIpv4('10.77.0.11'))).toMatchObject({ mac: MAC.node1, state: 'active' });
    expect(troubles).toEqual([]);
  });

  test('is answered by broadcast when it sets the broadcast flag', async () => {
    const { boot } = await site();
    expect(await udhcpc(one, '-B')).toContain('address=10.77.0.100');
    expect(boot.steps[1]?.data).toMatchObject({ path: 'broadcast' });
  });

  test('two machines at once get two addresses', async () => {
    await site({ machines: [] });
    const [a, b] = await Promise.all([udhcpc(one), udhcpc(two)]);
    const addresses = [a, b].map((line) => /address=(\S+)/.exec(line)?.[1]);
    expect(addresses.sort()).toEqual(['10.77.0.100', '10.77.0.101']);
  });

  test('gives its address back when told to', async () => {
    const { boot, leases } = await site();
    const log = join(tempFolder(), 'log');
    const client = wire.spawn(two, [
      'env',
      `DHCP_TEST_LOG=${log}`,
      'busybox',
      'udhcpc',
      '-i',
      'eth0',
      '-f',
      '-R',
      '-s',
      script,
    ]);
    await expect.poll(() => boot.words(), { timeout: 10_000 }).toContain('ack');
    const address = leases.addressOf(parseMac(MAC.node2)) ?? parseIpv4('0.0.0.0');
    await expect.poll(() => ip(two, 'addr', 'show', 'eth0')).toContain(formatIpv4(address));
    client.kill('SIGTERM');
    await expect.poll(() => leases.leaseAt(address)?.state, { timeout: 10_000 }).toBe('released');
    expect(boot.words().at(-1)).toBe('release');
  });

  test('hears nothing when the pool is empty, and the events say why', async () => {
    const only = parseRange('10.77.0.100-10.77.0.100');
    const { boot } = await site({ subnets: [subnet({ pools: [only] })] });
    expect(await udhcpc(one)).toContain('address=10.77.0.100');
    expect(await udhcpc(two)).toContain('no lease');
    expect(boot.steps.at(-1)?.text).toBe('ignored: no address is free in 10.77.0.0/24');
  });
});

test('dhclient is bound, and comes back with its remembered address after a restart of both', async () => {
  const folder = tempFolder();
  const path = join(folder, 'anybios.db');
  const log = join(folder, 'log');
  const dhclient = async (expected: RegExp): Promise<void> => {
    ip(two, 'addr', 'flush', 'dev', 'eth0');
    const options = ['-4', '-1', '-d', '--no-pid', '-cf', '/dev/null', '-lf', join(folder, 'leases')];
    const hook = ['-sf', script, '-e', `DHCP_TEST_LOG=${log}`];
    const client = wire.spawn(two, ['dhclient', ...options, ...hook, 'eth0']);
    await expect.poll(() => read(log), { timeout: 20_000 }).toMatch(expected);
    client.kill('SIGKILL');
  };
  const first = await site({ path });
  await dhclient(/reason=BOUND address=10.77.0.100 .* server=10.77.0.1/);
  await first.close();
  const second = await site({ path });
  await dhclient(/reason=REBOOT address=10.77.0.100/);
  expect(second.boot.words()).toEqual(['request', 'ack']);
  await second.close();
});

test('the npm client is bound', async () => {
  await site({ machines: [reserved] });
  // Without a server id its REQUEST counts as INIT-REBOOT: the reservation is what is on record. It uses an ordinary UDP socket, so the kernel must know a way to broadcast and take its address for local already.
  ip(one, 'addr', 'replace', '10.77.0.11/24', 'dev', 'eth0');
  ip(one, 'route', 'replace', 'default', 'dev', 'eth0');
  const { text } = await wire.run(one, [process.execPath, npmClient, MAC.node1]);
  expect(JSON.parse(text)).toMatchObject({ address: '10.77.0.11', options: { netmask: '255.255.255.0' } });
});

function read(file: string): string {
  return readFileSync(file, { encoding: 'utf8', flag: 'a+' });
}
