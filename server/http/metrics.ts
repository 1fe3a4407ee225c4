import { formatCidr } from '../domain/ipv4.js';
import type { PoolUsage } from '../state/pools.js';
import type { ApiDeps } from './api-deps.js';
import { MACHINE_STATUSES } from './machine-resource.js';

/**
 * The figures at /metrics in the text format of Prometheus (exposition format 0.0.4). Hand-written: a dozen lines of text need no
 * package, and everything but the event counters is read when asked for.
 */
export class Metrics {
  readonly #deps: ApiDeps;
  readonly #startedAt: number;
  /** By source, kind and level: words of ours, so their number is small and nothing in them must be escaped. */
  readonly #events = new Map<string, number>();

  constructor(deps: ApiDeps) {
    this.#deps = deps;
    this.#startedAt = deps.clock();
    const unsubscribe = deps.events.subscribe(({ source, kind, level }) => {
      const labels = `source="${source}",kind="${kind}",level="${level}"`;
      this.#events.set(labels, (this.#events.get(labels) ?? 0) + 1);
    });
    deps.closing.addEventListener('abort', unsubscribe, { once: true });
  }

  #pools(nowSeconds: number): readonly string[] {
    const usage = this.#deps.poolUsage(nowSeconds);
    const rows = (pick: (row: PoolUsage) => number): [string, number][] =>
      usage.map((row) => [`subnet="${formatCidr(row.cidr)}"`, pick(row)]);
    return [
      ...metric(
        'anybios_pool_addresses',
        'gauge',
        'Addresses in the pools of a subnet.',
        rows(({ size }) => size),
      ),
      ...metric(
        'anybios_pool_used',
        'gauge',
        'Of these, leased or in quarantine.',
        rows(({ used }) => used),
      ),
    ];
  }

  text(): string {
    const { boot, leases, clock, version } = this.#deps;
    const machines = new Map<string, number>(MACHINE_STATUSES.map((status) => [status, 0]));
    for (const key of boot.machineKeys()) {
      const status = boot.machineView(key)?.status;
      if (status !== undefined) machines.set(status, (machines.get(status) ?? 0) + 1);
    }
    const now = clock();
    const leaseStates = new Map<string, number>([
      ...['active', 'expired', 'released', 'declined'].map((s) => [s, 0] as const),
    ]);
    for (const lease of leases()) {
      const state = lease.state === 'active' && lease.expiresAt * 1000 <= now ? 'expired' : lease.state;
      leaseStates.set(state, (leaseStates.get(state) ?? 0) + 1);
    }
    const memory = process.memoryUsage();
    const cpu = process.cpuUsage();
    return [
      ...metric('anybios_info', 'gauge', 'Version of the server.', [[`version="${escapeLabel(version)}"`, 1]]),
      ...metric('anybios_uptime_seconds', 'gauge', 'Seconds since the server started.', [
        ['', (now - this.#startedAt) / 1000],
      ]),
      ...metric('anybios_events_total', 'counter', 'Events since the server started.', this.#events),
      ...metric('anybios_images_damaged', 'gauge', 'Files of images that are damaged and not served.', [
        ['', this.#deps.state.damaged.size],
      ]),
      ...metric('anybios_machines', 'gauge', 'Machines by status.', labelled('status', machines)),
      ...metric('anybios_leases', 'gauge', 'Leases by state.', labelled('state', leaseStates)),
      ...this.#pools(Math.floor(now / 1000)),
      ...(this.#deps.moreMetrics?.() ?? []),
      ...metric('process_cpu_seconds_total', 'counter', 'Processor time of the process.', [
        ['', (cpu.user + cpu.system) / 1e6],
      ]),
      ...metric('process_resident_memory_bytes', 'gauge', 'Resident memory of the process.', [['', memory.rss]]),
      ...metric('nodejs_heap_used_bytes', 'gauge', 'Used JavaScript heap.', [['', memory.heapUsed]]),
      '',
    ].join('\n');
  }
}

function metric(
  name: string,
  type: 'gauge' | 'counter',
  help: string,
  values: Iterable<readonly [string, number]>,
): string[] {
  const lines = Array.from(values, ([labels, value]) => `${name}${labels === '' ? '' : `{${labels}}`} ${value}`);
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines];
}

function labelled(label: string, values: ReadonlyMap<string, number>): [string, number][] {
  return Array.from(values, ([value, count]) => [`${label}="${escapeLabel(value)}"`, count]);
}

/** Exposition format: back-slash, quote and line feed are escaped in label values. */
function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
