import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';

export interface Usage {
  /** Of all its processes that ever ran, user and system. */
  readonly cpuSeconds: number;
  /** Of those that run; shared pages are divided among them. */
  readonly rssMiB: number;
  /** Seconds of processor of each thread that runs, by its number; the first one of a process has the process's number. */
  readonly threads: ReadonlyMap<number, number>;
}

const V2 = existsSync('/sys/fs/cgroup/cgroup.controllers');
const CGROUPS = V2 ? '/sys/fs/cgroup' : '/sys/fs/cgroup/cpuacct';

/** A server in a control group of its own: what it costs is counted by the kernel, with every process it starts. */
export class MeasuredServer {
  readonly #group: string;
  readonly #child: ChildProcess;
  readonly #log: string;

  private constructor(group: string, child: ChildProcess, log: string) {
    this.#group = group;
    this.#child = child;
    this.#log = log;
  }

  static start(name: string, namespace: string, command: readonly string[], log: string): MeasuredServer {
    const group = `${CGROUPS}/anybios-bench-${process.pid}-${name}`;
    mkdirSync(group);
    const output = openSync(log, 'a');
    const inside = `echo $$ >${group}/cgroup.procs && exec ip netns exec ${namespace} "$@"`;
    const child = spawn('sh', ['-c', inside, 'sh', ...command], {
      stdio: ['ignore', output, output],
      env: { ...process.env, KEA_LOCKFILE_DIR: 'none', KEA_PIDFILE_DIR: '/tmp' },
    });
    return new MeasuredServer(group, child, log);
  }

  /** Resolves when `answers` does; rejects with what it printed when it ended or needs longer than 30 s. */
  async ready(answers: () => Promise<boolean>): Promise<void> {
    const until = performance.now() + 30_000;
    for (;;) {
      if (this.#child.exitCode === null && (await answers())) return;
      if (this.#child.exitCode !== null || performance.now() > until)
        throw new Error(`did not start:\n${readFileSync(this.#log, 'utf8').slice(-2000)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  usage(): Usage {
    const pids = this.#pids();
    return {
      cpuSeconds: this.#cpuSeconds(),
      rssMiB: pids.reduce((sum, pid) => sum + shareMiB(pid), 0),
      threads: new Map(pids.flatMap(threadsOf)),
    };
  }

  async stop(): Promise<void> {
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      for (const pid of this.#pids()) tryKill(pid, signal);
      const until = performance.now() + 10_000;
      while (this.#pids().length > 0 && performance.now() < until)
        await new Promise((resolve) => setTimeout(resolve, 30));
    }
    rmdirSync(this.#group);
  }

  #pids(): number[] {
    return readFileSync(`${this.#group}/cgroup.procs`, 'utf8').split('\n').filter(Boolean).map(Number);
  }

  #cpuSeconds(): number {
    if (!V2) return Number(readFileSync(`${this.#group}/cpuacct.usage`, 'utf8')) / 1e9;
    return Number(/^usage_usec (\d+)/m.exec(readFileSync(`${this.#group}/cpu.stat`, 'utf8'))?.[1]) / 1e6;
  }
}

function shareMiB(pid: number): number {
  const text = ifItRuns(() => readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
  return Number(/^Pss: *(\d+)/m.exec(text ?? '')?.[1] ?? 0) / 1024;
}

/** Thread and seconds. The first number of schedstat: nanoseconds on a processor, in the kernel too. */
function threadsOf(pid: number): [number, number][] {
  return (ifItRuns(() => readdirSync(`/proc/${pid}/task`)) ?? []).map((thread) => {
    const text = ifItRuns(() => readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8'));
    return [Number(thread), Number(text?.split(' ')[0] ?? 0) / 1e9];
  });
}

/** Undefined = the process has ended since it was listed. */
function ifItRuns<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && 'code' in error && ['ENOENT', 'ESRCH'].includes(String(error.code))) return undefined;
    throw error;
  }
}

function tryKill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
