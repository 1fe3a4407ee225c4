import { parseArgs } from 'node:util';
import { BenchFolder } from './bench-folder.js';
import { BenchWire } from './bench-wire.js';
import { type Contender, type Contenders, contenders } from './contenders.js';
import { KINDS, type Kind, type Order, onItsWire } from './kinds.js';
import { type LoadClients, loadClients, MACHINES, macsOf } from './load-clients.js';
import type { MeasuredServer } from './measured-server.js';
import { median, type Run, table } from './table.js';

// Measurements beside other servers, by hand and on a machine that does nothing else. Ratios count, and only within one run.

const HELP = `npm run bench -- [KIND...] [options]      measures anybios beside other servers (needs root)

Kinds (default: those without a star):
${Object.entries(KINDS)
  .map(
    ([name, { what, contenders: names, onRequest }]) =>
      `  ${(onRequest === true ? `${name}*` : name).padEnd(11)} ${what}: ${names.join(', ')}`,
  )
  .join('\n')}

Options:
  --repeat N      rounds; servers alternate, the median counts (default 3; tftp1000 5; losses and storm 1)
  --machines N    machines of the storm (default 200), of dhcp (8000), of dhcp-cold (5000), of perfdhcp (60000)
  --rate N        exchanges a second of dhcp-half (default: half of what dhcp measured) and perfdhcp (2000)
  --registered N  machines that anybios knows before (default 0)
  --mib N         size of the initrd, in MiB (default 20): what http, http500, http1000 and the storm fetch
  --only A,B      only these servers
  --clients DIR   a folder with dhcpload, mload, httpload, bootstorm instead of our own load clients; dhcp-half and dhcp-cold need dhcpload
  --seconds N     how long dhcp and dhcp-half send (default 4)
  --known         anybios knows the machines of dhcp, dhcp-half and dhcp-cold by name and role; else all get the role of unknown ones,
                  whose events are limited to 500 a second
  --warm          each run once before it is measured, with other machines (Node compiles what it runs often)
  --profile DIR   profiles of the processor for each thread of anybios, made when it ends (what is measured meanwhile is slower)
  --json          one JSON line for each run as well

Examples:
  npm run bench -- dhcp dhcp-half --repeat 5 --machines 30000 --clients DIR
  npm run bench -- storm --machines 1000 --only anybios
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    repeat: { type: 'string' },
    machines: { type: 'string' },
    registered: { type: 'string', default: '0' },
    rate: { type: 'string' },
    mib: { type: 'string' },
    seconds: { type: 'string', default: '4' },
    profile: { type: 'string' },
    known: { type: 'boolean', default: false },
    warm: { type: 'boolean', default: false },
    only: { type: 'string' },
    clients: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

/** Added to the round: no machine of a warm-up is in a round that counts. */
const WARM_UP = 1000;
const WARM_MACHINES = 8000;

let interrupted = false;

process.exitCode = await main();

async function main(): Promise<number> {
  const unknown = positionals.filter((name) => KINDS[name] === undefined);
  if (values.help || unknown.length > 0) {
    process.stdout.write(`${unknown.map((name) => `there is no kind "${name}"\n`).join('')}${HELP}`);
    return unknown.length > 0 ? 2 : 0;
  }
  if (process.getuid?.() !== 0) {
    process.stderr.write('bench: needs root, for network namespaces and control groups\n');
    return 2;
  }
  const wire = new BenchWire();
  const folder = new BenchFolder(values.mib === undefined ? undefined : Number(values.mib));
  const stop = (): void => {
    interrupted = true;
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  const runs: Run[] = [];
  const running: Running = new Map();
  try {
    const { profile } = values;
    const node = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
    const all = contenders(wire, folder, { node, machines: Number(values.registered) });
    const clients = loadClients(wire, folder, values.clients);
    const usual = Object.keys(KINDS).filter((name) => KINDS[name]?.onRequest !== true);
    const wanted = positionals.length > 0 ? positionals : usual;
    for (const name of wanted) {
      const kind = KINDS[name];
      if (kind?.alone === true) await stopAll(running);
      if (kind !== undefined) await measure(name, kind, { all, clients, wire, running }, runs);
    }
  } finally {
    await stopAll(running);
    process.stdout.write(`\n${table(runs)}`);
    folder.remove();
    wire.remove();
  }
  return runs.some(({ error }) => error !== undefined) ? 1 : 0;
}

/** Servers that run side by side, by name. */
type Running = Map<string, readonly MeasuredServer[]>;

interface Bench {
  readonly all: Contenders;
  readonly clients: LoadClients;
  readonly wire: BenchWire;
  readonly running: Running;
}

async function measure(name: string, kind: Kind, bench: Bench, runs: Run[]): Promise<void> {
  const rounds = Number(values.repeat ?? kind.rounds ?? 3);
  const only = values.only?.split(',');
  const rivals = kind.contenders.filter((rival) => only === undefined || only.includes(rival));
  const out = new Set<string>();
  for (let round = 0; round < rounds; round++) {
    for (const rival of rivals) {
      const contender = (kind.alone === true ? bench.all.alone : bench.all.beside).get(rival);
      if (contender === undefined || out.has(rival) || interrupted) continue;
      const run = await once(name, kind, contender, bench, orderOf(kind, rival, round, runs));
      runs.push(run);
      if (run.error !== undefined) out.add(rival);
      process.stderr.write(`${name} ${rival}: ${run.error ?? `${run.value.toFixed(1)} ${kind.unit}`}\n`);
      if (values.json) process.stdout.write(`${JSON.stringify(run)}\n`);
    }
  }
}

function orderOf({ halfOf }: Kind, rival: string, round: number, runs: readonly Run[]): Order {
  const full = median(runs.filter((run) => run.kind === halfOf && run.server === rival))?.value;
  const rate = values.rate === undefined ? full : Number(values.rate);
  return {
    round,
    seconds: Number(values.seconds),
    ...(values.machines === undefined ? {} : { machines: Number(values.machines) }),
    ...(rate === undefined ? {} : { rate: values.rate === undefined ? rate / 2 : rate }),
  };
}

/** Some machines, many times. */
function warmUp(order: Order): Order {
  return { ...order, round: order.round + WARM_UP, machines: WARM_MACHINES };
}

function macsFor(name: string, order: Order): string[] {
  const count = order.machines ?? MACHINES[name];
  if (count === undefined) return [];
  return [...macsOf(order.round, count), ...macsOf(order.round + WARM_UP, values.warm ? WARM_MACHINES : 0)];
}

/** One that is measured alone starts afresh: nothing of an earlier round is in its memory or on its disk. */
async function once(name: string, kind: Kind, contender: Contender, bench: Bench, order: Order): Promise<Run> {
  const { clients, wire, running } = bench;
  const base = { kind: name, what: kind.what, unit: kind.unit, better: kind.better, server: contender.name } as const;
  try {
    const servers = running.get(contender.name) ?? (await contender.start(values.known ? macsFor(name, order) : []));
    running.set(contender.name, servers);
    try {
      if (values.warm) await kind.run(clients, contender, warmUp(order));
      const begun = servers.map((server) => server.usage());
      const before = begun.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
      const load = await onItsWire(kind, wire, () => kind.run(clients, contender, order));
      const after = servers.map((server) => server.usage());
      return {
        ...base,
        value: load.rate,
        failed: load.failed,
        cpuSeconds: after.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, -before),
        rssMiB: after.reduce((sum, { rssMiB }) => sum + rssMiB, 0),
        ...(load.bytes === undefined ? {} : { bytes: load.bytes }),
        ...(load.p99 === undefined ? {} : { p99: load.p99 }),
        ...(load.exchanges === undefined ? {} : { exchanges: load.exchanges }),
        threadSeconds: after.flatMap(({ threads }, index) => spent(begun[index]?.threads, threads)),
      };
    } finally {
      if (kind.alone === true) await stopAll(running);
    }
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return { ...base, value: Number.NaN, failed: 0, cpuSeconds: 0, rssMiB: 0, error: text };
  }
}

async function stopAll(running: Running): Promise<void> {
  for (const server of [...running.values()].flat()) await server.stop();
  running.clear();
}

/** Seconds of each thread of a server since `before`, its first thread first, then the busiest; those that did nothing are left out. */
function spent(before: ReadonlyMap<number, number> | undefined, after: ReadonlyMap<number, number>): number[] {
  const [first = 0, ...others] = Array.from(after, ([thread, seconds]) => seconds - (before?.get(thread) ?? 0));
  return [first, ...others.filter((seconds) => seconds >= 0.001).sort((a, b) => b - a)];
}
