import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { parseIpv4 } from '../../server/domain/ipv4.js';
import { DhcpWire, ip } from '../support/dhcp-namespace.js';
import { startDhcpSite, subnet } from '../support/dhcp-site.js';
import { tempFolder } from '../support/temp-folder.js';

const script = fileURLToPath(new URL('../support/dhcp-client-script.sh', import.meta.url));
const SQUATTER = '52:54:00:00:00:05';

let wire: DhcpWire;
let one: string;
let two: string;
beforeAll(() => {
  wire = new DhcpWire('op-probe', '10.77.0.1/24');
  one = wire.addClient('one', '52:54:00:00:00:01');
  two = wire.addClient('two', '52:54:00:00:00:02');
  ip(wire.addClient('squatter', SQUATTER), 'addr', 'add', '10.77.0.100/24', 'dev', 'eth0');
});
afterAll(() => wire.remove());

async function udhcpc(namespace: string): Promise<string> {
  const log = join(tempFolder(), 'log');
  ip(namespace, 'addr', 'flush', 'dev', 'eth0');
  const command = ['busybox', 'udhcpc', '-i', 'eth0', '-f', '-q', '-n', '-t', '4', '-T', '2', '-s', script];
  const { text } = await wire.run(namespace, ['env', `DHCP_TEST_LOG=${log}`, ...command]);
  return /address=(\S+)/.exec(readFileSync(log, { encoding: 'utf8', flag: 'a+' }))?.[1] ?? text;
}

test('an address that somebody uses is quarantined and another is given; nobody waits for anybody else', async () => {
  const net = subnet({ probeMs: 300 });
  const site = await startDhcpSite({ wire, path: join(tempFolder(), 'anybios.db'), subnets: [net] });
  onTestFinished(() => site.close());
  const first = await Promise.all([udhcpc(one), udhcpc(two)]);
  expect([...first].sort()).toEqual(['10.77.0.101', '10.77.0.102']);
  expect(site.leases.leaseAt(parseIpv4('10.77.0.100'))).toMatchObject({ state: 'declined', mac: SQUATTER });
  expect(site.boot.steps.filter(({ message }) => message === 'decline')).toMatchObject([
    { text: `10.77.0.100 is in use by ${SQUATTER}, which did not ask for it: quarantined for 3600 s` },
  ]);
  expect([await udhcpc(one), await udhcpc(two)]).toEqual(first);
  expect(site.troubles).toEqual([]);
});
