import { networkInterfaces } from 'node:os';
import { type AnybiosError, unavailable } from '../domain/errors.js';
import { contains, type Ipv4, netmask, parseIpv4, UNSPECIFIED } from '../domain/ipv4.js';
import { holdersOf, othersAddresses } from '../native/port-holders.js';

const LIMITED_BROADCAST = 0xffffffff as Ipv4;

/** Whoever else has this UDP port has it at an address of another network: neither broadcasts here nor our addresses reach it. */
export function isHarmless(interfaceName: string, port: number): boolean {
  const networks = (networkInterfaces()[interfaceName] ?? [])
    .filter(({ family }) => family === 'IPv4')
    .map(({ address, cidr }) => {
      const prefix = Number(cidr?.split('/')[1] ?? 32);
      return { network: ((parseIpv4(address) & netmask(prefix)) >>> 0) as Ipv4, prefix };
    });
  return othersAddresses('udp', port).every(
    (address) =>
      address !== UNSPECIFIED &&
      address !== LIMITED_BROADCAST &&
      !networks.some((network) => contains(network, address)),
  );
}

/** Names the other process, as far as we may see it. */
export function portInUse(interfaceName: string, port: number): AnybiosError {
  const others = (holdersOf('udp', port) ?? []).filter(({ pid }) => pid !== process.pid);
  const who = others.map(({ pid, command }) => `${command.slice(0, 80)} (pid ${pid})`).join(', ');
  return unavailable(`UDP ${port} of ${interfaceName} is in use by ${who === '' ? 'another program' : who}`, {
    remedy: `stop it, or bind it to its own interface (see ss -ulpn 'sport = :${port}')`,
  });
}
