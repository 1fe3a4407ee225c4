import type { BenchWire } from './bench-wire.js';
import type { Contender } from './contenders.js';
import type { Load, LoadClients, TftpLoad } from './load-clients.js';

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
  /** The servers start afresh for each run, one after the other, and have the usual ports; else all run at once. */
  readonly alone?: true;
  /** Rounds if nothing else is said; default 3. */
  readonly rounds?: number;
  /** Measured only when it is asked for: it takes long, needs a rate or a load client that is not in the repository. */
  readonly onRequest?: true;
  /** What each side of the wire loses, 0 to 1. */
  readonly loss?: number;
  run(clients: LoadClients, contender: Contender, order: Order): Promise<Load>;
}

const DHCP_SERVERS = ['anybios', 'kea', 'kea-single', 'dnsmasq'];

const tftp = (what: string, contenders: readonly string[], load: TftpLoad, more: Partial<Kind> = {}): Kind => ({
  what: `TFTP ${what}`,
  unit: 'MB/s',
  better: 'more',
  contenders,
  run: (clients, contender) => clients.tftp(contender, load),
  ...more,
});

const http = (together: number, more: Partial<Kind> = {}): Kind => ({
  what: `HTTP, ${together} connections, the initrd`,
  unit: 'MB/s',
  better: 'more',
  contenders: ['anybios', 'nginx', 'anybios with nginx'],
  run: (clients, contender) => clients.http(contender, together),
  ...more,
});

/** What `npm run bench` can measure, in the order of a boot. */
export const KINDS: Readonly<Record<string, Kind>> = {
  dhcp: {
    what: 'DISCOVER-OFFER-REQUEST-ACK, 64 under way',
    unit: '/s',
    better: 'more',
    alone: true,
    contenders: DHCP_SERVERS,
    run: (clients, _contender, order) => clients.dhcp(order),
  },
  'dhcp-half': {
    onRequest: true,
    what: 'the same at half the rate, unanswered after 1 s is lost',
    unit: '/s',
    better: 'more',
    alone: true,
    contenders: DHCP_SERVERS,
    halfOf: 'dhcp',
    run: (clients, _contender, order) => clients.dhcpRate(order),
  },
  'dhcp-cold': {
    onRequest: true,
    what: 'machines switched on within 0.5 s, with the back-off of PXE, time to the last lease',
    unit: 's',
    better: 'less',
    alone: true,
    contenders: DHCP_SERVERS,
    run: (clients, _contender, order) => clients.dhcpCold(order),
  },
  perfdhcp: {
    onRequest: true,
    what: 'perfdhcp, open loop',
    unit: '/s',
    better: 'more',
    alone: true,
    contenders: DHCP_SERVERS,
    run: (clients, _contender, order) => clients.perfdhcp(order),
  },
  tftp: tftp('in lock-step, 100 machines, 1 MiB', ['anybios', 'dnsmasq', 'tftpd-hpa'], {
    name: 'f1m',
    window: 1,
    together: 100,
  }),
  tftp1000: tftp(
    'in lock-step, 1,000 machines, 1 MiB',
    ['anybios', 'dnsmasq', 'anybios dgram'],
    { name: 'f1m', window: 1, together: 1000 },
    { onRequest: true, rounds: 5 },
  ),
  one: tftp('in lock-step, one machine, 8 MiB', ['anybios', 'dnsmasq'], { name: 'f8m', window: 1, together: 1 }),
  window: tftp('windows of 16, one stream, 64 MiB', ['anybios', 'atftpd', 'anybios dgram'], {
    name: 'f64m',
    window: 16,
    together: 1,
  }),
  window64: tftp('windows of 64, one stream, 64 MiB', ['anybios', 'atftpd'], { name: 'f64m', window: 64, together: 1 }),
  windows: tftp('windows of 16, 50 streams, 8 MiB', ['anybios', 'atftpd'], { name: 'f8m', window: 16, together: 50 }),
  loss: tftp(
    'in lock-step, 20 machines, 1 % lost each way',
    ['anybios', 'tftpd-hpa'],
    { name: 'f1m', window: 1, together: 20, lossy: true },
    { loss: 0.01, rounds: 1 },
  ),
  losswindow: tftp(
    'windows of 16, 20 streams, 1 % lost each way',
    ['anybios', 'atftpd'],
    { name: 'f1m', window: 16, together: 20, lossy: true },
    { loss: 0.01, rounds: 1 },
  ),
  http: http(64),
  http500: http(500, { onRequest: true }),
  http1000: http(1000, { onRequest: true }),
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
    alone: true,
    rounds: 1,
    contenders: ['anybios', 'dnsmasq+nginx'],
    run: (clients, contender, { machines, round }) => clients.storm(contender, machines ?? 200, round),
  },
};

/** Runs it on a wire that loses what this kind wants. */
export async function onItsWire(kind: Kind, wire: BenchWire, run: () => Promise<Load>): Promise<Load> {
  if (kind.loss === undefined) return await run();
  wire.lose(kind.loss);
  try {
    return await run();
  } finally {
    wire.lose(0);
  }
}
