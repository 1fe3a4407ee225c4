import type { Contender } from './contenders.js';
import type { Load, LoadClients } from './load-clients.js';

export interface Kind {
  readonly what: string;
  /** Of `Load.rate`. */
  readonly unit: string;
  /** Which way is good. */
  readonly better: 'more' | 'less';
  /** anybios first: the others are compared with it. */
  readonly contenders: readonly string[];
  run(clients: LoadClients, contender: Contender, round: number, machines: number): Promise<Load>;
}

/** What `npm run bench` can measure, in the order of a boot. */
export const KINDS: Readonly<Record<string, Kind>> = {
  dhcp: {
    what: 'DISCOVER-OFFER-REQUEST-ACK, 64 under way',
    unit: '/s',
    better: 'more',
    contenders: ['anybios', 'kea', 'dnsmasq'],
    run: (clients, _contender, round) => clients.dhcp(round),
  },
  tftp: {
    what: 'TFTP in lock-step, 100 machines, 1 MiB each',
    unit: 'MB/s',
    better: 'more',
    contenders: ['anybios', 'dnsmasq', 'tftpd-hpa'],
    run: (clients) => clients.tftp(100),
  },
  window: {
    what: 'TFTP with windows of 16 blocks, one stream',
    unit: 'MB/s',
    better: 'more',
    contenders: ['anybios', 'atftpd'],
    run: (clients) => clients.window(),
  },
  http: {
    what: 'HTTP, 64 connections, 20 MiB',
    unit: 'MB/s',
    better: 'more',
    contenders: ['anybios', 'nginx'],
    run: (clients, contender) => clients.http(contender, 64),
  },
  scripts: {
    what: 'boot scripts, 64 connections (nginx: a constant)',
    unit: '/s',
    better: 'more',
    contenders: ['anybios', 'nginx'],
    run: (clients, contender) => clients.scripts(contender),
  },
  storm: {
    what: 'boot storm, time to the last machine',
    unit: 's',
    better: 'less',
    contenders: ['anybios', 'dnsmasq+nginx'],
    run: (clients, contender, round, machines) => clients.storm(contender, machines, round),
  },
};
