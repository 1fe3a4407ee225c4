import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { hexOf } from '../../server/domain/hex.js';
import type { BenchFolder } from './bench-folder.js';
import { type BenchWire, RELAYS, SERVER_ADDRESS } from './bench-wire.js';
import { benchMac } from './clients/dhcp-words.js';
import type { Contender } from './contenders.js';
import type { Order } from './kinds.js';

const run = promisify(execFile);
const OWN = fileURLToPath(new URL('clients', import.meta.url));
/** Nothing here needs half of it. */
const LIMIT_MS = 240_000;

/** What a load client measured. `rate` is in the unit of its kind; `bytes` are what arrived. */
export interface Load {
  readonly rate: number;
  readonly failed: number;
  readonly bytes?: number;
  readonly p99?: number;
  /** Exchanges of DHCP that were done. */
  readonly exchanges?: number;
}

/** So many machines at once fetch this file with windows of this many blocks (RFC 7440; 1 = lock-step), block size 1468. */
export interface TftpLoad {
  readonly name: 'f1m' | 'f8m' | 'f64m';
  readonly window: number;
  readonly together: number;
  /** Always our own client: `mload` does not answer a block that comes twice, and so measures its own time-out where ACKs get lost. */
  readonly lossy?: true;
}

export interface LoadClients {
  /** Exchanges per second, 64 under way. */
  dhcp(order: Order): Promise<Load>;
  /** The same at a rate that does not wait for answers. */
  dhcpRate(order: Order): Promise<Load>;
  /** Seconds until the last of many machines that are switched on at once has its lease. */
  dhcpCold(order: Order): Promise<Load>;
  /** Exchanges per second of Kea's own load client. */
  perfdhcp(order: Order): Promise<Load>;
  /** MB/s. */
  tftp(contender: Contender, load: TftpLoad): Promise<Load>;
  /** MB/s of `together` connections that fetch 20 MiB; with our own client again and again. */
  http(contender: Contender, together: number): Promise<Load>;
  /** Scripts per second over 64 connections. */
  scripts(contender: Contender): Promise<Load>;
  /** Seconds until the last machine has everything. */
  storm(contender: Contender, machines: number, round: number): Promise<Load>;
}

/**
 * `folder`: programs that cost less than the servers they load, instead of our own clients in Node: `dhcpload`, `mload`,
 * `httpload` and `bootstorm` (docs/performance.md says how they are called). A program that is not in it is replaced by our own.
 */
export function loadClients(wire: BenchWire, files: BenchFolder, folder?: string): LoadClients {
  const inside = async (command: readonly string[], limit = LIMIT_MS): Promise<string> => {
    const { stdout } = await run('ip', ['netns', 'exec', wire.clients, ...command], { timeout: limit });
    return stdout;
  };
  const own = async (name: string, ...args: string[]): Promise<Values> =>
    JSON.parse(await inside([process.execPath, join(OWN, `${name}.js`), ...args]));
  const theirs = (name: string): string | undefined => {
    const path = folder === undefined ? undefined : join(folder, name);
    return path !== undefined && existsSync(path) ? path : undefined;
  };
  const external = async (program: string, ...args: string[]): Promise<Values> =>
    JSON.parse(await inside([program, ...args]));
  const relays = RELAYS.join(',');
  const dhcpload = async (measured: string, many: readonly string[], mode: readonly string[]): Promise<Load> => {
    const program = theirs('dhcpload');
    if (program === undefined) throw new Error('needs --clients DIR with dhcpload in it');
    const r = await external(program, '--server', SERVER_ADDRESS, ...mode, ...many);
    const exchange = r.exchange_ms;
    const p99 = typeof exchange === 'object' ? Number(exchange.p99) : 0;
    const failed = Number(r.drops ?? 0) + Number(r.naks ?? 0) + Number(r.dup_addr ?? 0);
    return { rate: Number(r[measured]), failed, p99, exchanges: Number(r.leases) };
  };
  const file = (name: string): string => join(files.www, name);

  return {
    async dhcp({ round, seconds, machines = MACHINES.dhcp }) {
      const many = ['--relays', relays, '--mac-base', macBase(round)];
      if (theirs('dhcpload') === undefined)
        return load(await own('dhcp-load', ...many, '--machines', String(machines), '--seconds', String(seconds)));
      return dhcpload('leases_per_s', many, [
        '--mode',
        'peak',
        '--macs',
        String(machines),
        '--secs',
        '4',
        '--conc',
        '64',
      ]);
    },
    async dhcpRate({ round, seconds, rate, machines = MACHINES['dhcp-half'] }) {
      if (rate === undefined) throw new Error('half of what? measure dhcp in the same run, or give --rate');
      const mode = ['--mode', 'rate', '--rate', rate.toFixed(0), '--macs', String(machines), '--secs', String(seconds)];
      return dhcpload('leases_per_s', ['--relays', relays, '--mac-base', macBase(round)], mode);
    },
    async dhcpCold({ round, machines = MACHINES['dhcp-cold'] }) {
      const mode = ['--mode', 'storm', '--macs', String(machines), '--ramp', '0.5', '--secs', '70'];
      return dhcpload('wall_s', ['--relays', relays, '--mac-base', macBase(round)], mode);
    },
    async perfdhcp({ rate = 2000, machines = 60_000 }) {
      const options = ['-4', '-r', rate.toFixed(0), '-R', String(machines), '-p', '5', '-l', RELAYS[0] ?? ''];
      // Exit status 3: some exchanges were not completed. They are counted below.
      const text = await inside(['sh', '-c', 'perfdhcp "$@" || [ $? -eq 3 ]', 'perfdhcp', ...options, SERVER_ADDRESS]);
      const [discovers = 0, requests = 0] = Array.from(text.matchAll(/sent packets: (\d+)/g), ([, n]) => Number(n));
      const acks = Number([...text.matchAll(/received packets: (\d+)/g)][1]?.[1] ?? 0);
      if (requests === 0) throw new Error(`perfdhcp said:\n${text.slice(-500)}`);
      const reached = Number(/Rate: ([\d.]+) 4-way/.exec(text)?.[1] ?? Number.NaN);
      return { rate: reached, failed: discovers - acks, exchanges: acks };
    },
    async tftp({ tftp: { address, port } }, { name, window, together, lossy }) {
      const program = lossy === true ? undefined : theirs('mload');
      const words = { file: name, blksize: '1468', window: String(window), together: String(together) };
      if (program === undefined) {
        const options = Object.entries({ server: address, port: String(port), ...words });
        return load(await own('tftp-load', ...options.flatMap(([key, value]) => [`--${key}`, value])));
      }
      const { file: asked, blksize } = words;
      const r = await external(
        program,
        address,
        String(port),
        asked,
        file(asked),
        blksize,
        words.window,
        words.together,
      );
      return { rate: Number(r.MBps), failed: Number(r.fail ?? 0), bytes: Number(r.bytes) };
    },
    async http({ urls }, together) {
      const program = theirs('httpload');
      if (program !== undefined) {
        const { hostname, port, pathname } = new URL(urls.initrd);
        const where = ['--server', hostname, '--port', port === '' ? '80' : port, '--path', pathname];
        const total = String(Math.max(200, together));
        const r = await external(program, ...where, '--conc', String(together), '--total', total);
        return { rate: Number(r.MBps), failed: Number(r.fail ?? 0), bytes: Number(r.bytes) };
      }
      const text = await inside(['wrk', '-t1', `-c${together}`, '-d4', '--timeout', '30', urls.initrd]);
      const [, amount, unit] = /([\d.]+)([KMGT]?B) read/.exec(text) ?? [];
      const [, seconds] = /requests in ([\d.]+)(?:s|m)/.exec(text) ?? [];
      const bytes = Number(amount) * (UNITS[unit ?? ''] ?? Number.NaN);
      return { rate: bytes / 1e6 / Number(seconds), failed: wrkErrors(text), bytes };
    },
    async scripts({ urls }) {
      const text = await inside(['wrk', '-t1', '-c64', '-d3', urls.script]);
      return { rate: Number(/Requests\/sec: *([\d.]+)/.exec(text)?.[1]), failed: wrkErrors(text) };
    },
    async storm({ urls }, machines, round) {
      const base = String(0x20000000 + round * 0x10000);
      const common = [
        '--server',
        SERVER_ADDRESS,
        '--relays',
        relays,
        '--machines',
        String(machines),
        '--mac-base',
        base,
      ];
      const program = theirs('bootstorm');
      if (program === undefined) {
        const r = await own('storm-load', ...common, '--rootfs', urls.rootfs);
        return { rate: Number(r.last), failed: Number(r.failed), bytes: Number(r.bytes), p99: Number(r.p99) };
      }
      const steps = ['--ramp', '1', '--script', 'dhcp', '--expect', '#!ipxe', '--os-dhcp'];
      const files = (['kernel', 'initrd', 'rootfs'] as const).flatMap((name) => [
        `--${name}`,
        new URL(urls[name]).pathname,
        `--ref-${name}`,
        file(name),
      ]);
      const r = await external(program, ...common, ...steps, ...files, '--ref-boot', file('boot.efi'));
      return { rate: Number(r.last_s), failed: Number(r.fail), bytes: Number(r.bytes) };
    },
  };
}

/** Other machines in each round. */
const firstMac = (round: number): number => 0x10000000 + round * 0x10000;
const macBase = (round: number): string => String(firstMac(round));

/** Machines of the kinds whose machines anybios can be told of before. */
export const MACHINES: Readonly<Record<string, number>> = { dhcp: 8000, 'dhcp-half': 30_000, 'dhcp-cold': 5000 };

/** The MACs with which a round begins, as all load clients count them. */
export function macsOf(round: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => hexOf(benchMac(firstMac(round) + index), ':'));
}

type Values = Readonly<Record<string, number | string | Readonly<Record<string, number>>>>;

const UNITS: Readonly<Record<string, number>> = { B: 1, KB: 1 << 10, MB: 1 << 20, GB: 1 << 30, TB: 2 ** 40 };

/** What our own clients print has these names. */
function load(values: Values): Load {
  return {
    rate: Number(values.rate),
    failed: Number(values.failed),
    ...(values.bytes === undefined ? {} : { bytes: Number(values.bytes) }),
    ...(values.p99 === undefined ? {} : { p99: Number(values.p99) }),
    ...(values.count === undefined ? {} : { exchanges: Number(values.count) }),
  };
}

function wrkErrors(text: string): number {
  const bad = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
  const broken = /Socket errors: connect (\d+), read (\d+), write (\d+)/.exec(text);
  return (broken?.slice(1) ?? []).reduce((sum, count) => sum + Number(count), bad);
}
