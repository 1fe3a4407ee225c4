import { expect, test } from 'vitest';
import { localAddresses } from '../../server/tftp/local-addresses.js';

const info = { netmask: '', mac: '', internal: false, cidr: null };
const interfaces = {
  lo: [{ ...info, address: '127.0.0.1', family: 'IPv4' as const }],
  eth0: [
    { ...info, address: '10.0.0.1', family: 'IPv4' as const },
    { ...info, address: 'fd00::1', family: 'IPv6' as const, scopeid: 0 },
    { ...info, address: 'fe80::1', family: 'IPv6' as const, scopeid: 2 },
  ],
};

const rows: [wanted: string[], addresses: string[]][] = [
  [['10.0.0.1'], ['10.0.0.1']],
  [['0.0.0.0'], ['127.0.0.1', '10.0.0.1']],
  [['::'], ['fd00::1', 'fe80::1%eth0']],
  [
    ['10.0.0.1', '0.0.0.0'],
    ['10.0.0.1', '127.0.0.1'],
  ],
];
test.each(rows)('%j', (wanted, addresses) => {
  expect(localAddresses(wanted, interfaces)).toEqual(addresses);
});
