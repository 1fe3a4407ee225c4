import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { judgeSpace } from '../../../server/cli/checks/data.js';
import { checkClock, checkNode, checkPrivileges } from '../../../server/cli/checks/host.js';
import { checkAccelerator } from '../../../server/cli/checks/lab.js';
import { checkAddress, checkInterface, interfaceChecks, judgePort } from '../../../server/cli/checks/network.js';
import { parseConfig } from '../../../server/config.js';
import { holdersOf } from '../../../server/native/port-holders.js';

test.each([
  ['18.20.0', 'failed'],
  ['20.18.1', 'failed'],
  ['20.19.0', 'ok'],
  ['21.7.0', 'failed'],
  ['22.12.0', 'failed'],
  ['22.13.0', 'ok'],
  ['24.0.0', 'ok'],
])('Node %s: %s', (version, state) => {
  expect(checkNode(version).state).toBe(state);
});

test.each([
  ['root', '000001ffffffffff', 'ok'],
  ['nobody', '0000000000000000', 'failed'],
  ['the two that are needed', '0000000000002400', 'ok'],
  ['without raw sockets', '0000000000000400', 'failed'],
])('privileges of %s', (_name, bits, state) => {
  expect(checkPrivileges(`Name:\tnode\nCapEff:\t${bits}\n`).state).toBe(state);
});

test('what is missing is named', () => {
  expect(checkPrivileges('CapEff:\t0000000000000400').message).toBe('CAP_NET_RAW missing');
});

test('a clock before the installation is wrong', () => {
  expect(checkClock(0, 1).state).toBe('failed');
  expect(checkClock(2, 1).state).toBe('ok');
});

test.each([
  ['KVM', 'flags\t: fpu vmx sse', true, 'KVM is usable'],
  ['a device of a paravirtual KVM', 'flags\t: fpu sse', true, 'neither vmx nor svm'],
  ['no device', 'flags\t: svm', false, 'there is no /dev/kvm'],
])('accelerator: %s', (_name, cpuinfo, device, words) => {
  expect(checkAccelerator(cpuinfo, device).message).toContain(words);
});

test.each([
  [100, 'failed'],
  [1024 ** 3, 'warning'],
  [4 * 1024 ** 3, 'ok'],
])('%d bytes free: %s', (free, state) => {
  expect(judgeSpace(free).state).toBe(state);
});

test('interfaces: missing, without an address, fine', () => {
  const lo = { address: '127.0.0.1', family: 'IPv4', cidr: '127.0.0.1/8' } as const;
  const interfaces = { lo: [{ ...lo, netmask: '255.0.0.0', mac: '00:00:00:00:00:00', internal: true }] };
  expect(checkInterface('br9', () => false, interfaces)).toMatchObject({
    state: 'failed',
    remedy: expect.stringContaining('there are: lo'),
  });
  expect(checkInterface('br9', () => true, interfaces).state).toBe('failed');
  expect(checkInterface('lo', () => true, interfaces)).toMatchObject({ state: 'ok', message: 'has 127.0.0.1/8' });
  const config = parseConfig('listen: { address: 10.77.0.1 }\ndhcp: { mode: "off" }\n', { file: 'x.yaml' });
  expect(checkAddress(config, interfaces)).toMatchObject({ state: 'failed', message: 'no interface has 10.77.0.1' });
});

test('a pool where another server gives the addresses', () => {
  const subnets =
    '[{ cidr: 10.77.0.0/24, pool: 10.77.0.9-10.77.0.9 }, { cidr: 10.78.0.0/24, mode: full, pool: 10.78.0.9-10.78.0.9 }]';
  const checks = (mode: string): readonly string[] =>
    interfaceChecks(
      parseConfig(`listen: { interfaces: [lo] }\ndhcp: { mode: ${mode}, subnets: ${subnets} }\n`, { file: 'x.yaml' }),
    )
      .filter(({ state }) => state === 'warning')
      .map(({ name, message }) => `${name}: ${message}`);
  expect(checks('proxy')).toEqual([
    'config: dhcp.subnets[0].pool is not used: 10.77.0.0/24 has mode proxy, where another DHCP server gives the addresses',
  ]);
  expect(checks('full')).toEqual([]);
  expect(checks('observe')).toEqual([]);
});

const dhcp = { what: 'DHCP', protocol: 'udp', port: 67 } as const;
test.each([
  ['free', undefined, false, 'ok', 'free'],
  ['ours', [{ pid: 5, command: 'node /opt/anybios/dist/cli/anybios.js serve' }], true, 'ok', 'that is running'],
  ['a rival', [{ pid: 9, command: '/usr/sbin/dnsmasq -C x' }], true, 'failed', 'dnsmasq -C x (pid 9)'],
  ['another anybios', [{ pid: 5, command: 'node anybios.js serve' }], false, 'failed', 'pid 5'],
  ['nobody we may see', [], false, 'failed', 'another user'],
] as const)('port 67: %s', (_name, holders, isRunning, state, words) => {
  const check = judgePort(dhcp, holders, isRunning);
  expect(check.state).toBe(state);
  expect(check.message).toContain(words);
});

test('who holds a port is found in /proc', async () => {
  const tcp = createServer();
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
  const udp = createSocket('udp4');
  await new Promise<void>((resolve) => udp.bind(0, '127.0.0.1', resolve));
  const address = tcp.address();
  const tcpPort = typeof address === 'object' && address !== null ? address.port : 0;
  const udpPort = udp.address().port;
  expect(holdersOf('tcp', tcpPort)?.map(({ pid }) => pid)).toContain(process.pid);
  expect(holdersOf('udp', udpPort)?.map(({ pid }) => pid)).toContain(process.pid);
  await new Promise((resolve) => tcp.close(resolve));
  await new Promise<void>((resolve) => udp.close(resolve));
  expect(holdersOf('tcp', tcpPort)).toBeUndefined();
  expect(holdersOf('udp', udpPort)).toBeUndefined();
});
