import { once } from 'node:events';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { DhcpWire, ip } from '../support/dhcp-namespace.js';
import { startRealServer } from '../support/real-server.js';
import { tempFolder } from '../support/temp-folder.js';

const pool = '10.77.0.100-10.77.0.110';
const DNSMASQ = ['dnsmasq', '-d', '--port=0', '--conf-file=/dev/null', '--leasefile-ro', '--no-ping'];

let wire: DhcpWire;
beforeAll(() => {
  wire = new DhcpWire('port', '10.77.0.1/24');
  ip(wire.server, 'link', 'add', 'st2', 'type', 'veth', 'peer', 'name', 'st3');
  ip(wire.server, 'addr', 'add', '10.99.0.1/24', 'dev', 'st2');
  ip(wire.server, 'link', 'set', 'st2', 'up');
});
afterAll(() => wire.remove());

/** dnsmasq as a DHCP server beside ours on the same computer; resolves to what it said once it listens or has given up. */
async function dnsmasq(...more: string[]): Promise<string> {
  const server = wire.spawn(wire.server, [...DNSMASQ, ...more]);
  onTestFinished(async () => {
    if (server.exitCode !== null) return;
    server.kill('SIGKILL');
    await once(server, 'exit');
  });
  let said = '';
  server.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  await expect.poll(() => said, { timeout: 10_000 }).toMatch(/DHCP, IP range|failed/);
  return said;
}

test('a server that has the port already is named, and nothing is shared with it', async () => {
  expect(await dnsmasq('--interface=br0', '--dhcp-range=10.77.0.150,10.77.0.160')).toContain('DHCP, IP range');
  const started = startRealServer(wire, tempFolder(), { pool });
  await expect(started).rejects.toThrow(
    /UDP 67 of br0 is in use by dnsmasq .*\(pid \d+\).*bind it to its own interface/s,
  );
});

test('a server that comes later does not get the port; ours is there again at once after kill -9', async () => {
  const folder = tempFolder();
  const first = await startRealServer(wire, folder, { pool });
  expect(await dnsmasq('--interface=br0', '--dhcp-range=10.77.0.150,10.77.0.160')).toMatch(/failed to bind DHCP/);
  await first.end('SIGKILL');
  const second = await startRealServer(wire, folder, { pool });
  await second.end('SIGTERM');
});

test('one on an interface of its own is no obstacle, whether it is bound to the interface or to its address', async () => {
  expect(await dnsmasq('--interface=st2', '--bind-interfaces', '--dhcp-range=10.99.0.150,10.99.0.160')).toContain(
    'IP range',
  );
  const server = await startRealServer(wire, tempFolder(), { pool });
  await server.end('SIGTERM');
});
