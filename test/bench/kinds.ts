import type { Contender } from './contenders.js';
import type { Load, LoadClients } from './load-clients.js';

/** What the command line says of a run, and what is known from runs before it. */
export interface Order {
  /** From 0. */
  readonly round: number;
  readonly seconds: number;
  readonly machines?: number;
  /** Exchanges a second, for the kinds that send at a rate of their own. */
  readonly rate?: number;
}

export interface Kind {
  readonly what: string;
  /** Of `Load.rate`. */
  readonly unit: string;
  /** Which way is good. */
  readonly better: 'more' | 'less';
  /** anybios first: the others are compared with it. */
  readonly contenders: readonly string[];
  /** Sends at half the rate that the same server reached in the kind of this name, unless told otherwise. */
  readonly halfOf?: string;
  run(clients: LoadClients, contender: Contender, order: Order): Promise<Load>;
}

const DHCP_SERVERS = ['anybios', 'kea', 'kea-single', 'dnsmasq'];

/** What `npm run bench` can measure, in the order of a boot. */
export const KINDS: Readonly<Record<string, Kind>> = {
  dhcp: {
    what: 'DISCOVER-OFFER-REQUEST-ACK, 64 under way',
    unit: '/s',
    better: 'more',
    contenders: DHCP_SERVERS,
    run: (clients, _contender, order) => clients.dhcp(order),
  },
  'dhcp-half': {
    what: 'the same at half the rate, unanswered after 1 s is lost',
    unit: '/s',
    better: 'more',
    contenders: DHCP_SERVERS,
    halfOf: 'dhcp',
    run: (clients, _contender, order) => clients.dhcpRate(order),
  },
  'dhcp-cold': {
    what: 'machines switched on within 0.5 s, with the back-off of PXE, time to the last lease',
    unit: 's',
    better: 'less',
    contenders: DHCP_SERVERS,
    run: (clients, _contender, order) => clients.dhcpCold(order),
  },
  perfdhcp: {
    what: 'perfdhcp, open loop',
    unit: '/s',
    better: 'more',
    contenders: DHCP_SERVERS,
    run: (clients, _contender, order) => clients.perfdhcp(order),
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
    run: (clients, contender, { machines, round }) => clients.storm(contender, machines ?? 200, round),
  },
};
