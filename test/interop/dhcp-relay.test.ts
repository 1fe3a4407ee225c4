import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { identify } from '../../server/decide/identify.js';
import { parseCidr, parseIpv4, parseRange } from '../../server/domain/ipv4.js';
import { parseMac } from '../../server/domain/mac.js';
import type { Machine } from '../../server/domain/machine.js';
import { DhcpWire, ip } from '../support/dhcp-namespace.js';
import { type DhcpSite, startDhcpSite, subnet } from '../support/dhcp-site.js';
import { tempFolder } from '../support/temp-folder.js';

const script = fileURLToPath(new URL('../support/dhcp-client-script.sh', import.meta.url));
const MAC = '52:54:00:00:00:07';
const remote = subnet({
  cidr: parseCidr('10.78.0.0/24'),
  pools: [parseRange('10.78.0.100-10.78.0.110')],
  router: parseIpv4('10.78.0.1'),
});
const DNSMASQ = ['dnsmasq', '-d', '--port=0', '--conf-file=/dev/null', '--dhcp-relay=10.78.0.1,10.77.0.1'];
/** -a: adds option 82, whose circuit id is the name of the interface that heard the client. */
const DHCRELAY = ['dhcrelay', '-4', '-d', '-a', '--no-pid', '-id', 'eth1', '-iu', 'eth0', '10.77.0.1'];
/** The same with the client's link in sub-option 5, and the address of eth0 as giaddr. 4.4.3 crashes when -a or -iu stand beside it. */
const LINK_SELECTION = ['dhcrelay', '-4', '-d', '--no-pid', '-U', 'eth0', '-id', 'eth1', '10.77.0.1'];
const overrideRelay = fileURLToPath(new URL('../support/override-relay.mjs', import.meta.url));
const OVERRIDE = [process.execPath, overrideRelay, '10.77.0.1', '10.77.0.254', '10.78.0.1'];

let wire: DhcpWire;
let relay: string;
let far: string;

beforeAll(async () => {
  wire = new DhcpWire('relay', '10.77.0.1/24');
  relay = wire.addClient('relay', '52:54:00:00:00:fe');
  far = wire.addNamespace('far');
  ip(relay, 'addr', 'add', '10.77.0.254/24', 'dev', 'eth0');
  ip(relay, 'link', 'add', 'eth1', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', far);
  ip(relay, 'addr', 'add', '10.78.0.1/24', 'dev', 'eth1');
  ip(relay, 'link', 'set', 'eth1', 'up');
  ip(far, 'link', 'set', 'eth0', 'address', MAC, 'up');
  ip(relay, 'route', 'add', '255.255.255.255', 'dev', 'eth1');
  ip(wire.server, 'route', 'add', '10.78.0.0/24', 'via', '10.77.0.254');
  await wire.run(relay, ['sysctl', '-q', '-w', 'net.ipv4.ip_forward=1']);
});
afterAll(() => wire.remove());

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

/** Behind this relay; a relay that does not listen yet costs the client one of its tries. */
async function site(relayCommand: readonly string[], net = remote): Promise<DhcpSite> {
  const server = await startDhcpSite({ wire, path: join(tempFolder(), 'anybios.db'), subnets: [subnet(), net] });
  const forwarder = wire.spawn(relay, relayCommand);
  onTestFinished(async () => {
    await end(forwarder);
    await server.close();
  });
  ip(far, 'addr', 'flush', 'dev', 'eth0');
  return server;
}

/** busybox udhcpc in the far network; what it tells its script. */
function udhcpc(): { readonly child: ChildProcess; readonly said: () => string } {
  const log = join(tempFolder(), 'log');
  const args = ['-i', 'eth0', '-f', '-t', '10', '-T', '1', '-s', script];
  const child = wire.spawn(far, ['env', `DHCP_TEST_LOG=${log}`, 'busybox', 'udhcpc', ...args]);
  onTestFinished(() => end(child));
  return { child, said: () => readFileSync(log, { encoding: 'utf8', flag: 'a+' }) };
}

test('through a real relay (dnsmasq): an address of its subnet, answered to the relay, renewed by unicast', async () => {
  const { boot, leases, troubles } = await site(DNSMASQ);
  const client = udhcpc();
  await expect
    .poll(client.said, { timeout: 20_000 })
    .toContain('reason=bound address=10.78.0.100 mask=255.255.255.0 lease=3600 router=10.78.0.1 server=10.77.0.1');
  expect(boot.steps.find(({ message }) => message === 'ack')?.data).toMatchObject({
    subnet: '10.78.0.0/24',
    path: 'relay 10.78.0.1',
  });

  // SIGUSR1: renew now. It goes straight to us, without the relay, so only ciaddr tells the subnet.
  ip(far, 'route', 'replace', 'default', 'via', '10.78.0.1');
  client.child.kill('SIGUSR1');
  await expect.poll(() => boot.words().filter((word) => word === 'ack').length, { timeout: 20_000 }).toBe(2);
  expect(boot.steps.at(-1)?.data).toMatchObject({ why: 'renewed', path: 'unicast 10.78.0.100' });
  expect(leases.addressOf(parseMac(MAC))).toBe(parseIpv4('10.78.0.100'));
  expect(troubles).toEqual([]);
});

test('isc-dhcp-relay with option 82: it comes back as the relay wants it, and tells the machine by its port', async () => {
  const { boot, troubles } = await site(DHCRELAY);
  const pinned: Machine = {
    name: 'node7',
    macs: [],
    relay: { circuitId: 'eth1' },
    address: parseIpv4('10.78.0.50'),
    labels: {},
  };
  boot.machines = [pinned];
  const nobody = (): undefined => undefined;
  boot.machineOf = (facts) =>
    identify(facts, {
      machineByMac: nobody,
      machineByUuid: nobody,
      machineByClientId: nobody,
      machineByPort: (circuitId) => (circuitId === Buffer.from('eth1').toString('hex') ? pinned : undefined),
    });
  // The relay takes off its option before the client sees the answer; it drops answers without one that is its own.
  await expect.poll(udhcpc().said, { timeout: 20_000 }).toContain('reason=bound address=10.78.0.50');
  expect(boot.steps.find(({ message }) => message === 'ack')?.facts.relay).toEqual({ circuitId: '65746831' });
  expect(troubles).toEqual([]);
});

test('an address behind the relay that answers ICMP is quarantined, and another is given', async () => {
  ip(relay, 'addr', 'add', '10.78.0.100/32', 'dev', 'eth1');
  onTestFinished(() => void ip(relay, 'addr', 'del', '10.78.0.100/32', 'dev', 'eth1'));
  const { boot, leases, troubles } = await site(DHCRELAY, { ...remote, probeMs: 400 });
  await expect.poll(udhcpc().said, { timeout: 20_000 }).toContain('reason=bound address=10.78.0.101');
  expect(leases.leaseAt(parseIpv4('10.78.0.100'))).toMatchObject({ state: 'declined', mac: '00:00:00:00:00:00' });
  expect(boot.steps.filter(({ message }) => message === 'decline')).toMatchObject([
    { text: expect.stringMatching(/^10\.78\.0\.100 is in use by a machine that answers ICMP/) },
  ]);
  expect(troubles).toEqual([]);
});

test('isc-dhcp-relay that names the link apart from itself (-U, RFC 3527): an address of the link, answered to the relay', async () => {
  const { boot, troubles } = await site(LINK_SELECTION);
  await expect.poll(udhcpc().said, { timeout: 20_000 }).toContain('reason=bound address=10.78.0.100');
  expect(boot.steps.find(({ message }) => message === 'ack')?.data).toMatchObject({
    subnet: '10.78.0.0/24',
    relay: '10.77.0.254',
    path: 'relay 10.77.0.254',
  });
  expect(troubles).toEqual([]);
});

test('a relay that has itself named as the server (RFC 5107): it is, and the renewal passes through it', async () => {
  const { boot, leases, troubles } = await site(OVERRIDE);
  const client = udhcpc();
  await expect
    .poll(client.said, { timeout: 20_000 })
    .toContain('reason=bound address=10.78.0.100 mask=255.255.255.0 lease=3600 router=10.78.0.1 server=10.78.0.1');

  client.child.kill('SIGUSR1');
  await expect.poll(() => boot.words().filter((word) => word === 'ack').length, { timeout: 20_000 }).toBe(2);
  // It came from the relay, where the first test's renewal came straight to us.
  expect(boot.steps.at(-1)?.data).toMatchObject({ why: 'renewed', path: 'relay 10.77.0.254' });
  await expect
    .poll(client.said, { timeout: 20_000 })
    .toMatch(/reason=renew address=10\.78\.0\.100 .*server=10\.78\.0\.1/);

  client.child.kill('SIGUSR2');
  await expect.poll(() => leases.leaseAt(parseIpv4('10.78.0.100'))?.state, { timeout: 20_000 }).toBe('released');
  expect(troubles).toEqual([]);
});
