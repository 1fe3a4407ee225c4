import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { ip } from './dhcp-namespace.js';

/** Another DHCP server on the same wire. */
export interface RivalDhcp {
  /** It hears nothing until `resume`. */
  pause(): void;
  resume(): void;
  close(): void;
}

/**
 * dnsmasq in a namespace of its own, plugged into bridge `br0` of this one: it gives addresses of `range` and nothing to boot.
 * Needs root.
 */
export function startRivalDhcp(
  namespace: string,
  address: string,
  range: string,
  more: readonly string[] = [],
): RivalDhcp {
  const own = `mo-${process.pid}-rival`;
  execFileSync('ip', ['netns', 'add', own]);
  ip(own, 'link', 'set', 'lo', 'up');
  ip(namespace, 'link', 'add', 'p-rival', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', own);
  ip(own, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
  ip(own, 'link', 'set', 'eth0', 'up');
  ip(namespace, 'link', 'set', 'p-rival', 'master', 'br0', 'up');
  const options = ['-d', '--port=0', '--conf-file=/dev/null', '--no-ping', '--dhcp-authoritative', '--leasefile-ro'];
  const server: ChildProcess = spawn(
    'ip',
    ['netns', 'exec', own, 'dnsmasq', ...options, '--interface=eth0', `--dhcp-range=${range},1h`, ...more],
    { stdio: 'ignore' },
  );
  return {
    pause: () => void ip(namespace, 'link', 'set', 'p-rival', 'down'),
    resume: () => void ip(namespace, 'link', 'set', 'p-rival', 'up'),
    close() {
      server.kill('SIGKILL');
      execFileSync('ip', ['netns', 'del', own]);
    },
  };
}
