import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { parseCidr, parseIpv4, parseRange } from '../../server/domain/ipv4.js';
import { parseMac } from '../../server/domain/mac.js';
import { DhcpWire, ip } from '../support/dhcp-namespace.js';
import { startDhcpSite, subnet } from '../support/dhcp-site.js';
import { tempFolder } from '../support/temp-folder.js';

const script = fileURLToPath(new URL('../support/dhcp-client-script.sh', import.meta.url));
const MAC = '52:54:00:00:00:07';
const remote = subnet({
  cidr: parseCidr('10.78.0.0/24'),
  pools: [parseRange('10.78.0.100-10.78.0.110')],
  router: parseIpv4('10.78.0.1'),
});

let wire: DhcpWire;
let far: string;

beforeAll(async () => {
  wire = new DhcpWire('relay', '10.77.0.1/24');
  const relay = wire.addClient('relay', '52:54:00:00:00:fe');
  far = wire.addNamespace('far');
  ip(relay, 'addr', 'add', '10.77.0.254/24', 'dev', 'eth0');
  ip(relay, 'link', 'add', 'eth1', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', far);
  ip(relay, 'addr', 'add', '10.78.0.1/24', 'dev', 'eth1');
  ip(relay, 'link', 'set', 'eth1', 'up');
  ip(far, 'link', 'set', 'eth0', 'address', MAC, 'up');
  ip(wire.server, 'route', 'add', '10.78.0.0/24', 'via', '10.77.0.254');
  await wire.run(relay, ['sysctl', '-q', '-w', 'net.ipv4.ip_forward=1']);
  wire.spawn(relay, ['dnsmasq', '-d', '--port=0', '--conf-file=/dev/null', '--dhcp-relay=10.78.0.1,10.77.0.1']);
});
afterAll(() => wire.remove());

test('through a real relay (dnsmasq): an address of its subnet, answered to the relay, renewed by unicast', async () => {
  const site = await startDhcpSite({ wire, path: join(tempFolder(), 'anybios.db'), subnets: [subnet(), remote] });
  onTestFinished(() => site.close());
  const log = join(tempFolder(), 'log');
  const args = ['-i', 'eth0', '-f', '-t', '10', '-T', '1', '-s', script];
  const client = wire.spawn(far, ['env', `DHCP_TEST_LOG=${log}`, 'busybox', 'udhcpc', ...args]);
  await expect
    .poll(() => readFileSync(log, { encoding: 'utf8', flag: 'a+' }), { timeout: 20_000 })
    .toContain('reason=bound address=10.78.0.100 mask=255.255.255.0 lease=3600 router=10.78.0.1 server=10.77.0.1');
  expect(site.boot.steps.find(({ message }) => message === 'ack')?.data).toMatchObject({
    subnet: '10.78.0.0/24',
    path: 'relay 10.78.0.1',
  });

  // SIGUSR1: renew now. It goes straight to us, without the relay, so only ciaddr tells the subnet.
  ip(far, 'route', 'add', 'default', 'via', '10.78.0.1');
  client.kill('SIGUSR1');
  await expect.poll(() => site.boot.words().filter((word) => word === 'ack').length, { timeout: 20_000 }).toBe(2);
  expect(site.boot.steps.at(-1)?.data).toMatchObject({ why: 'renewed', path: 'unicast 10.78.0.100' });
  expect(site.leases.addressOf(parseMac(MAC))).toBe(parseIpv4('10.78.0.100'));
  expect(site.troubles).toEqual([]);
});
