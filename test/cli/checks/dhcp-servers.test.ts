import { expect, test } from 'vitest';
import { judgeServers } from '../../../server/cli/checks/dhcp-servers.js';
import type { ProbedServer } from '../../../server/dhcp/probe.js';
import { parseIpv4 } from '../../../server/domain/ipv4.js';

const giver: ProbedServer = {
  server: parseIpv4('10.0.0.2'),
  from: parseIpv4('10.0.0.2'),
  offered: parseIpv4('10.0.0.77'),
};
const proxy: ProbedServer = { server: parseIpv4('10.0.0.3'), from: parseIpv4('10.0.0.4') };
const full = { isFull: true, isProxy: false };
const beside = { isFull: false, isProxy: true };
const observing = { isFull: false, isProxy: false };

test.each([
  ['full, alone', [], full, 'ok', 'no other server answers'],
  [
    'full, beside another server',
    [giver, proxy],
    full,
    'warning',
    'another server answers: 10.0.0.2 (offers 10.0.0.77), 10.0.0.3 via 10.0.0.4 (boot information only); in mode full both would give addresses',
  ],
  ['proxy, as it should be', [giver], beside, 'ok', 'answered by 10.0.0.2 (offers 10.0.0.77)'],
  [
    'proxy without a server for the addresses',
    [proxy],
    beside,
    'failed',
    'no DHCP server gives addresses there, and in mode proxy this one does not either',
  ],
  ['observe', [giver], observing, 'ok', 'answered by 10.0.0.2 (offers 10.0.0.77)'],
] as const)('doctor on DHCP servers: %s', (_name, servers, modes, state, message) => {
  expect(judgeServers('DHCP on eth0', servers, modes)).toMatchObject({ state, message });
});
