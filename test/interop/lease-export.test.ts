import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseIpv4 } from '../../server/domain/ipv4.js';
import type { Lease } from '../../server/domain/lease.js';
import { parseMac } from '../../server/domain/mac.js';
import { exportLeases } from '../../server/http/lease-export.js';
import { DhcpWire } from '../support/dhcp-namespace.js';
import { subnet } from '../support/dhcp-site.js';
import { tempFolder } from '../support/temp-folder.js';

const NOW = Math.floor(Date.now() / 1000);
const MAC = '52:54:00:00:00:0a';
const lease = (last: number, over: Partial<Lease> = {}): Lease => ({
  address: parseIpv4(`10.77.0.${last}`),
  mac: parseMac(MAC.replace('0a', last.toString(16))),
  state: 'active',
  startedAt: NOW,
  expiresAt: NOW + 3600,
  ...over,
});
const leases = [lease(120, { hostname: 'node1', clientId: '01525400000078' }), lease(121, { state: 'declined' })];

let wire: DhcpWire;
beforeAll(() => {
  wire = new DhcpWire('op-export', '10.77.0.1/24');
});
afterAll(() => wire.remove());

test('dnsmasq takes the file over: the lease is still in it after its start', async () => {
  const file = join(tempFolder(), 'dnsmasq.leases');
  writeFileSync(file, exportLeases('dnsmasq', leases, [subnet()], NOW));
  const options = ['-d', '--port=0', '--conf-file=/dev/null', '--log-dhcp', `--dhcp-leasefile=${file}`];
  const child = wire.spawn(wire.server, ['dnsmasq', ...options, '--dhcp-range=10.77.0.100,10.77.0.200,1h']);
  let printed = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
  });
  await expect.poll(() => printed, { timeout: 10_000 }).toContain('started');
  // It rewrites the file at its start with what it has read.
  expect(printed).not.toMatch(/ignoring invalid line|failed/);
  expect(readFileSync(file, 'utf8')).toContain('10.77.0.120 node1 01:52:54:00:00:00:78');
  child.kill('SIGTERM');
});

test('Kea 2.2 loads the CSV: no line is refused', async () => {
  const folder = tempFolder();
  const file = join(folder, 'leases.csv');
  mkdirSync('/run/kea', { recursive: true });
  writeFileSync(file, exportLeases('kea', leases, [subnet()], NOW));
  const config = join(folder, 'kea.json');
  writeFileSync(
    config,
    JSON.stringify({
      Dhcp4: {
        'interfaces-config': { interfaces: [wire.bridge] },
        'lease-database': { type: 'memfile', persist: true, name: file, 'lfc-interval': 0 },
        subnet4: [{ id: 1, subnet: '10.77.0.0/24', pools: [{ pool: '10.77.0.100-10.77.0.200' }] }],
        loggers: [{ name: 'kea-dhcp4', severity: 'INFO', output_options: [{ output: 'stdout' }] }],
      },
    }),
  );
  const pid = join(folder, 'pid');
  mkdirSync(pid);
  const child = wire.spawn(wire.server, [
    'env',
    `KEA_PIDFILE_DIR=${pid}`,
    `KEA_LOCKFILE_DIR=${pid}`,
    'kea-dhcp4',
    '-c',
    config,
  ]);
  let printed = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
    });
  await expect.poll(() => printed, { timeout: 20_000 }).toMatch(/DHCP4_STARTED|ERROR|FATAL/);
  expect(printed).toContain('DHCP4_STARTED');
  expect(printed).not.toMatch(/ROW_ERROR|LEASE_LOAD_ERROR|discarded [1-9]/i);
  child.kill('SIGTERM');
});
