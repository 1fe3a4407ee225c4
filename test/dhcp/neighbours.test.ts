import { expect, test } from 'vitest';
import { neighbourOf } from '../../server/dhcp/neighbours.js';
import { ip } from '../support/dhcp-packets.js';

const TABLE = `IP address       HW type     Flags       HW address            Mask     Device
10.77.0.15       0x1         0x2         52:54:00:77:00:02     *        br0
10.77.0.151      0x1         0x2         52:54:00:77:00:01     *        br0
10.77.0.152      0x1         0x0         00:00:00:00:00:00     *        br0
`;

test.each([
  ['an entry', '10.77.0.151', '52:54:00:77:00:01'],
  ['an address that others begin with', '10.77.0.15', '52:54:00:77:00:02'],
  ['an entry that was asked for and not answered', '10.77.0.152', undefined],
  ['no entry', '10.77.0.1', undefined],
])('the neighbour table: %s', (_name, address, mac) => {
  expect(neighbourOf(ip(address), TABLE)).toBe(mac);
});

test('the table of this computer can be read', () => {
  expect(neighbourOf(ip('0.0.0.1'))).toBeUndefined();
});
