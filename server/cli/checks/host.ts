import { readFileSync, statSync } from 'node:fs';
import { packageRoot } from '../../paths.js';
import { type Check, failed, ok } from './check.js';

/** `engines` of package.json, as ranges of one major each. */
const NODE_MINIMUM: Readonly<Record<number, number>> = { 20: 19, 22: 13 };

export function checkNode(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const fits = major >= 24 || minor >= (NODE_MINIMUM[major] ?? Number.POSITIVE_INFINITY);
  return fits
    ? ok('node', `Node ${version}`)
    : failed('node', `Node ${version} is not supported`, 'install Node 20.19, 22.13, 24 or newer');
}

/** Bits of linux/capability.h. */
const CAPABILITIES = { CAP_NET_BIND_SERVICE: 10n, CAP_NET_RAW: 13n } as const;

/** What DHCP needs: ports below 1024, and packets to machines that have no address yet. `status` is /proc/self/status. */
export function checkPrivileges(status: string): Check {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  const missing = Object.entries(CAPABILITIES).flatMap(([name, bit]) => ((effective >> bit) & 1n ? [] : [name]));
  if (missing.length === 0) return ok('privileges', 'may use the ports of DHCP and TFTP, and raw sockets');
  return failed(
    'privileges',
    `${missing.join(' and ')} missing`,
    'run as root, or with AmbientCapabilities=CAP_NET_BIND_SERVICE CAP_NET_RAW in the systemd unit',
  );
}

/** Machines take their time from this server: a clock before the installation of this program cannot be right. */
export function checkClock(now: number, installedAt: number): Check {
  const shown = new Date(now).toISOString();
  return now >= installedAt
    ? ok('clock', shown)
    : failed('clock', `${shown} is before this program was installed`, 'set the clock, e.g. install systemd-timesyncd');
}

export function hostChecks(): readonly Check[] {
  return [
    checkNode(process.versions.node),
    checkPrivileges(readFileSync('/proc/self/status', 'utf8')),
    checkClock(Date.now(), statSync(`${packageRoot}/package.json`).mtimeMs),
  ];
}
