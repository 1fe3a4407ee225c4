import { execFileSync, spawnSync } from 'node:child_process';

export const SERVER_ADDRESS = '10.98.0.1';
/** Each of those that run side by side has an address of its own. */
export const PEER_ADDRESSES = { dnsmasq: '10.98.0.3', 'tftpd-hpa': '10.98.0.4', atftpd: '10.98.0.5' } as const;
export const RELAYS = ['10.64.0.1', '10.65.0.1'];
export const SERVER_LINK = 's0';
const CLIENT_ADDRESS = '10.98.0.2';

/**
 * Two network namespaces and a cable between them. Every address of 10.64.0.0/15 belongs to the clients' side, so that each
 * simulated machine speaks from its own lease and the server sees them behind a relay. Needs root.
 */
export class BenchWire {
  readonly server: string;
  readonly clients: string;

  constructor(name = `bench-${process.pid}`) {
    this.server = `${name}-server`;
    this.clients = `${name}-clients`;
    for (const namespace of [this.server, this.clients]) ip('netns', 'add', namespace);
    ip('link', 'add', SERVER_LINK, 'netns', this.server, 'type', 'veth', 'peer', 'name', 'c0', 'netns', this.clients);
    for (const [namespace, link, address] of [
      [this.server, SERVER_LINK, SERVER_ADDRESS],
      [this.clients, 'c0', CLIENT_ADDRESS],
    ] as const) {
      ip('-n', namespace, 'link', 'set', 'lo', 'up');
      ip('-n', namespace, 'link', 'set', link, 'txqueuelen', '10000', 'up');
      ip('-n', namespace, 'address', 'add', `${address}/24`, 'dev', link);
      // A thousand connections at once, closed and opened again.
      const settings = [
        'net.ipv4.ip_local_port_range=2048 65000',
        'net.ipv4.tcp_tw_reuse=1',
        'net.core.somaxconn=8192',
        'net.ipv4.tcp_max_syn_backlog=16384',
        'net.ipv4.conf.all.rp_filter=0',
        'net.ipv4.conf.default.rp_filter=0',
      ];
      execFileSync('ip', ['netns', 'exec', namespace, 'sysctl', '-qw', ...settings]);
    }
    for (const address of Object.values(PEER_ADDRESSES))
      ip('-n', this.server, 'address', 'add', `${address}/24`, 'dev', SERVER_LINK);
    for (const relay of RELAYS) ip('-n', this.clients, 'address', 'add', `${relay}/32`, 'dev', 'c0');
    ip('-n', this.clients, 'route', 'add', 'local', '10.64.0.0/15', 'dev', 'lo');
    ip('-n', this.server, 'route', 'add', '10.64.0.0/15', 'via', CLIENT_ADDRESS);
  }

  /** From now on each side loses this share of the UDP packets that come in; 0 = none. */
  lose(share: number): void {
    for (const namespace of [this.server, this.clients]) {
      const rule = (...args: string[]): void => {
        execFileSync('ip', ['netns', 'exec', namespace, 'iptables', ...args], {
          stdio: ['ignore', 'ignore', 'inherit'],
        });
      };
      rule('-F', 'INPUT');
      if (share > 0)
        rule(...'-A INPUT -p udp -m statistic --mode random --probability'.split(' '), String(share), '-j', 'DROP');
    }
  }

  remove(): void {
    for (const namespace of [this.server, this.clients]) spawnSync('ip', ['netns', 'delete', namespace]);
  }
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}
