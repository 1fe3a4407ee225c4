import { existsSync, readFileSync } from 'node:fs';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import type { Config } from '../../config.js';
import { unusedPools } from '../../config-subnets.js';
import { formatIpv4 } from '../../domain/ipv4.js';
import { type Holder, holdersOf } from '../../native/port-holders.js';
import { type Check, failed, ok, warning } from './check.js';

type Interfaces = Readonly<Record<string, NetworkInterfaceInfo[] | undefined>>;

export function interfaceChecks(config: Config, interfaces: Interfaces = networkInterfaces()): readonly Check[] {
  const present = (name: string): boolean => existsSync(`/sys/class/net/${name}`);
  return [
    ...config.listen.interfaces.map((name) => checkInterface(name, present, interfaces)),
    checkAddress(config, interfaces),
    ...unusedPools(config).map((line) => warning('config', line, 'remove the pool, or set mode: full')),
  ];
}

export function checkInterface(name: string, present: (name: string) => boolean, interfaces: Interfaces): Check {
  const label = `interface ${name}`;
  if (!present(name)) {
    return failed(
      label,
      'there is no such interface',
      `correct listen.interfaces, or create it; there are: ${Object.keys(interfaces).join(', ')}`,
    );
  }
  const addresses = (interfaces[name] ?? []).filter(({ family }) => family === 'IPv4').map(({ cidr }) => cidr ?? '');
  if (addresses.length === 0) {
    return failed(
      label,
      'is down or has no IPv4 address',
      `ip link set ${name} up; ip address add ADDRESS/PREFIX dev ${name}`,
    );
  }
  return carrierOf(name) === '0'
    ? warning(label, `has ${addresses.join(', ')} but no link`, 'check the cable and the switch port')
    : ok(label, `has ${addresses.join(', ')}`);
}

/** The address in boot URLs must be one that machines reach on this server. */
export function checkAddress({ listen }: Config, interfaces: Interfaces): Check {
  const all = Object.values(interfaces).flatMap((addresses) => addresses ?? []);
  if (listen.address === undefined) return ok('address', 'the first one of the first interface goes into boot URLs');
  const shown = formatIpv4(listen.address);
  return all.some(({ address }) => address === shown)
    ? ok('address', `${shown} goes into boot URLs`)
    : failed('address', `no interface has ${shown}`, 'correct listen.address: machines would be sent to it');
}

/** '1' = link, '0' = none; a device that is down does not say. */
function carrierOf(name: string): string {
  try {
    return readFileSync(`/sys/class/net/${name}/carrier`, 'utf8').trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EINVAL') return 'down';
    throw error;
  }
}

interface Port {
  readonly what: string;
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
}

/** `isRunning`: our server answers on its socket, so that a port held by Node is its own. */
export function portChecks(config: Config, isRunning: boolean): readonly Check[] {
  const modes = [config.dhcp.mode, ...config.dhcp.subnets.map(({ mode }) => mode)];
  const ports: readonly Port[] = [
    ...(modes.every((mode) => mode === 'off') ? [] : [{ what: 'DHCP', protocol: 'udp', port: 67 } as const]),
    { what: 'TFTP', protocol: 'udp', port: config.listen.tftp },
    { what: 'HTTP', protocol: 'tcp', port: config.listen.http },
  ];
  return ports
    .filter(({ port }) => port !== 0)
    .map((port) => judgePort(port, holdersOf(port.protocol, port.port), isRunning));
}

export function judgePort(
  { what, protocol, port }: Port,
  holders: readonly Holder[] | undefined,
  isRunning: boolean,
): Check {
  const name = `port ${port}/${protocol}`;
  if (holders === undefined) return ok(name, `free, for ${what}`);
  const others = holders.filter(({ command }) => !(isRunning && /\banybios\b/.test(command)));
  if (holders.length > 0 && others.length === 0) return ok(name, `${what} of the anybios server that is running`);
  const who = others.map(({ pid, command }) => `${command.slice(0, 60)} (pid ${pid})`).join(', ');
  return failed(
    name,
    who === '' ? 'in use by a program of another user' : `in use by ${who}`,
    who === ''
      ? 'run doctor as root to see which'
      : `stop it (e.g. systemctl disable --now …), or configure another port for ${what}`,
  );
}
