export interface Run {
  readonly kind: string;
  readonly what: string;
  readonly unit: string;
  readonly better: 'more' | 'less';
  readonly server: string;
  readonly value: number;
  readonly failed: number;
  readonly cpuSeconds: number;
  readonly rssMiB: number;
  readonly bytes?: number;
  /** Milliseconds. */
  readonly p99?: number;
  /** Exchanges of DHCP that were done. */
  readonly exchanges?: number;
  /** Seconds of processor of each thread that still ran at the end. */
  readonly threadSeconds?: readonly number[];
  readonly error?: string;
}

/** The middle one by value; of an even number the lower. */
export function median(runs: readonly Run[]): Run | undefined {
  const good = runs.filter(({ error }) => error === undefined).sort((a, b) => a.value - b.value);
  return good[Math.floor((good.length - 1) / 2)] ?? runs[0];
}

/** Markdown: one line for each kind and server, the median of its runs, compared with the first of its kind. */
export function table(runs: readonly Run[]): string {
  const lines = [
    '| what | server | median | ratio | p99 ms | CPU | RSS MiB | failed |',
    '|---|---|---:|---:|---:|---:|---:|---:|',
  ];
  for (const kind of new Set(runs.map((run) => run.kind))) {
    const ofKind = runs.filter((run) => run.kind === kind);
    const servers = [...new Set(ofKind.map(({ server }) => server))];
    const own = median(ofKind.filter(({ server }) => server === servers[0]));
    for (const server of servers) {
      const middle = median(ofKind.filter((run) => run.server === server));
      if (middle !== undefined) lines.push(line(middle, server === servers[0] ? undefined : own));
    }
  }
  return `${lines.join('\n')}\n`;
}

function line(run: Run, own: Run | undefined): string {
  if (run.error !== undefined)
    return `| ${run.what} | ${run.server} | ${(run.error.split('\n')[0] ?? '').slice(0, 80)} | | | | | |`;
  // How many times better the first one is than this one.
  const factor = own === undefined ? Number.NaN : run.better === 'more' ? own.value / run.value : run.value / own.value;
  const cells = [
    run.what,
    run.server,
    `${run.value.toFixed(run.value < 100 ? 1 : 0)} ${run.unit}`,
    Number.isFinite(factor) ? `${factor.toFixed(2)} x` : '',
    run.p99 === undefined ? '' : run.p99.toFixed(1),
    cost(run),
    run.rssMiB.toFixed(0),
    String(run.failed),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** Processor time of the server for a unit of its work; for DHCP also that of its busiest threads. */
function cost({ cpuSeconds, bytes = 0, exchanges = 0, threadSeconds = [] }: Run): string {
  if (bytes > 0) return `${((cpuSeconds / bytes) * 1e9).toFixed(2)} s/GB`;
  if (exchanges === 0) return '';
  const each = (seconds: number): string => ((seconds / exchanges) * 1e6).toFixed(0);
  return `${each(cpuSeconds)} us (${threadSeconds.slice(0, 4).map(each).join(' + ')})`;
}
