import { parseArgs } from 'node:util';
import { BenchFolder } from './bench-folder.js';
import { BenchWire } from './bench-wire.js';
import { type Contender, contenders } from './contenders.js';
import { KINDS, type Kind } from './kinds.js';
import { type LoadClients, loadClients } from './load-clients.js';
import { type Run, table } from './table.js';

// Measurements beside other servers, by hand and on a machine that does nothing else. Ratios count, and only within one run.

const HELP = `npm run bench -- [KIND...] [options]      measures anybios beside other servers (needs root)

Kinds (default: all of them; under six minutes):
${Object.entries(KINDS)
  .map(([name, { what, contenders: names }]) => `  ${name.padEnd(8)} ${what}: ${names.join(', ')}`)
  .join('\n')}

Options:
  --repeat N      rounds; servers alternate, the median counts (default 3; storm 1)
  --machines N    machines of the storm (default 200)
  --only A,B      only these servers
  --clients DIR   a folder with dhcpload, mload, bootstorm instead of our own load clients
  --json          one JSON line for each run as well

Examples:
  npm run bench -- dhcp --repeat 5
  npm run bench -- storm --machines 1000 --only anybios
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    repeat: { type: 'string' },
    machines: { type: 'string', default: '200' },
    only: { type: 'string' },
    clients: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

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
  const folder = new BenchFolder();
  const stop = (): void => {
    interrupted = true;
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  const runs: Run[] = [];
  try {
    const all = contenders(wire, folder);
    const clients = loadClients(wire, folder, values.clients);
    const wanted = positionals.length > 0 ? positionals : Object.keys(KINDS);
    for (const name of wanted) {
      const kind = KINDS[name];
      if (kind !== undefined) await measure(name, kind, all, clients, runs);
    }
  } finally {
    process.stdout.write(`\n${table(runs)}`);
    folder.remove();
    wire.remove();
  }
  return runs.some(({ error }) => error !== undefined) ? 1 : 0;
}

async function measure(
  name: string,
  kind: Kind,
  all: ReadonlyMap<string, Contender>,
  clients: LoadClients,
  runs: Run[],
): Promise<void> {
  const rounds = Number(values.repeat ?? (name === 'storm' ? 1 : 3));
  const only = values.only?.split(',');
  const rivals = kind.contenders.filter((rival) => only === undefined || only.includes(rival));
  const out = new Set<string>();
  for (let round = 0; round < rounds; round++) {
    for (const rival of rivals) {
      const contender = all.get(rival);
      if (contender === undefined || out.has(rival) || interrupted) continue;
      const run = await once(name, kind, contender, clients, round);
      runs.push(run);
      if (run.error !== undefined) out.add(rival);
      process.stderr.write(`${name} ${rival}: ${run.error ?? `${run.value.toFixed(1)} ${kind.unit}`}\n`);
      if (values.json) process.stdout.write(`${JSON.stringify(run)}\n`);
    }
  }
}

/** Starts the servers afresh: nothing of an earlier round is in their memory or on their disk. */
async function once(name: string, kind: Kind, contender: Contender, clients: LoadClients, round: number): Promise<Run> {
  const base = { kind: name, what: kind.what, unit: kind.unit, better: kind.better, server: contender.name } as const;
  try {
    const servers = await contender.start();
    try {
      const before = servers.reduce((sum, server) => sum + server.usage().cpuSeconds, 0);
      const load = await kind.run(clients, contender, round, Number(values.machines));
      const after = servers.map((server) => server.usage());
      return {
        ...base,
        value: load.rate,
        failed: load.failed,
        cpuSeconds: after.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, -before),
        rssMiB: after.reduce((sum, { rssMiB }) => sum + rssMiB, 0),
        ...(load.bytes === undefined ? {} : { bytes: load.bytes }),
        ...(load.p99 === undefined ? {} : { p99: load.p99 }),
      };
    } finally {
      for (const server of servers) await server.stop();
    }
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return { ...base, value: Number.NaN, failed: 0, cpuSeconds: 0, rssMiB: 0, error: text };
  }
}
