import { expect, test } from 'vitest';
import { inheritedSocket } from '../../server/dhcp/inherited-sockets.js';

const env = { LISTEN_PID: '42', LISTEN_FDS: '2', LISTEN_FDNAMES: 'dhcp-br0:dhcp-vlan20' };

test.each([
  ['the socket of the interface, by its name', 'vlan20', env, 42, 4],
  ['the first one', 'br0', env, 42, 3],
  ['none for another interface', 'eth0', env, 42, undefined],
  ['none meant for another process', 'br0', env, 43, undefined],
  ['none without systemd', 'br0', {}, 42, undefined],
  ['none beyond the number passed', 'vlan20', { ...env, LISTEN_FDS: '1' }, 42, undefined],
])('%s', (_name, interfaceName, given, pid, fd) => {
  expect(inheritedSocket(interfaceName, given, pid)).toBe(fd);
});
