import { describe, expect, test } from 'vitest';
import { parseCidr, parseIpv4 } from '../../server/domain/ipv4.js';
import type { Lease } from '../../server/domain/lease.js';
import { parseMac } from '../../server/domain/mac.js';
import { exportLeases } from '../../server/http/lease-export.js';
import { subnet } from '../support/dhcp-site.js';

const NOW = 1_800_000_000;
const lease = (address: string, over: Partial<Lease> = {}): Lease => ({
  address: parseIpv4(address),
  mac: parseMac('52:54:00:00:00:0a'),
  state: 'active',
  startedAt: NOW - 100,
  expiresAt: NOW + 3500,
  ...over,
});
const leases: readonly Lease[] = [
  lease('10.78.0.5', { hostname: 'Node-2.lab', clientId: '' }),
  lease('10.77.0.100', { clientId: '01525400000a', hostname: 'node1' }),
  lease('10.77.0.101', { state: 'declined' }),
  lease('10.77.0.102', { state: 'released' }),
  lease('10.77.0.103', { expiresAt: NOW }),
];
const subnets = [subnet(), subnet({ cidr: parseCidr('10.78.0.0/24'), leaseSeconds: 7200 })];

describe('leases as the file of', () => {
  test('dnsmasq: a line each, nothing of what has ended or was declined', () => {
    expect(exportLeases('dnsmasq', leases, subnets, NOW)).toBe(
      '1800003500 52:54:00:00:00:0a 10.77.0.100 node1 01:52:54:00:00:0a\n' +
        '1800003500 52:54:00:00:00:0a 10.78.0.5 Node-2.lab *\n',
    );
  });

  test('Kea 2.2: its CSV, declined addresses without an owner, the name in lower case, subnets counted from 1', () => {
    expect(exportLeases('kea', leases, subnets, NOW)).toBe(
      `address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context
10.77.0.100,52:54:00:00:00:0a,01:52:54:00:00:0a,3600,1800003500,1,0,0,node1,0,
10.77.0.101,,,3600,1800003500,1,0,0,,1,
10.78.0.5,52:54:00:00:00:0a,,7200,1800003500,2,0,0,node-2.lab,0,
`,
    );
  });
});
