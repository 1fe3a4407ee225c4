import { execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'vitest';
import { program, serveIn } from '../support/serve-in.js';
import { seededBytes } from '../support/tftp-random.js';

// What the import of a large image costs: time, memory of each process, and what others notice. Beside what cannot be saved: sha256sum
// and cp with its sync.

const MEGABYTES = Number(process.env.IMPORT_MB ?? '2000');
const PIECE = 10_000_000;

const statusOf = (pid: number, name: string): number =>
  Math.round(
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024,
  );

/** Seconds of processor time. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const seconds = (work: () => void): number => {
  const begun = performance.now();
  work();
  return (performance.now() - begun) / 1000;
};

test(`the import of ${MEGABYTES} MB`, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'im-bench-'));
  const file = join(folder, 'image');
  const handle = openSync(file, 'w');
  const piece = Buffer.from(seededBytes(1, PIECE));
  for (let at = 0; at < MEGABYTES * 1e6; at += PIECE) {
    piece.writeUInt32LE(at / PIECE, 0);
    writeSync(handle, piece);
  }
  closeSync(handle);
  const { config, port, pid, end } = await serveIn(folder);
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
    const processes = [pid, ...children];
    /** Milliseconds of a request to the main process, again and again until `until` has settled. */
    const answers = async (until: Promise<unknown>): Promise<number[]> => {
      const times: number[] = [];
      let goesOn = true;
      const stop = (): void => {
        goesOn = false;
      };
      until.then(stop, stop);
      while (goesOn) {
        const begun = performance.now();
        await (await fetch(`http://127.0.0.1:${port}/healthz`)).text();
        times.push(performance.now() - begun);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      return times.sort((a, b) => a - b);
    };
    const shown = (times: number[]): string =>
      `p50 ${times[Math.floor(times.length / 2)]?.toFixed(1)} p99 ${times[Math.floor(times.length * 0.99)]?.toFixed(1)} longest ${times.at(-1)?.toFixed(1)} ms (${times.length})`;
    const say = (text: string): unknown => process.stdout.write(`${text}\n`);
    say(`sha256sum ${seconds(() => execFileSync('sha256sum', [file])).toFixed(1)} s`);
    say(
      `cp and sync ${seconds(() => execFileSync('sh', ['-c', `cp ${file} ${folder}/copy && sync ${folder}/copy`])).toFixed(1)} s`,
    );
    rmSync(`${folder}/copy`);
    say(`idle: answers ${shown(await answers(new Promise((resolve) => setTimeout(resolve, 5000))))}`);
    for (const [name, args] of [
      ['import', ['image', 'import', 'large:1', '--rootfs', file]],
      ['verify', ['image', 'verify', 'large:1']],
    ] as const) {
      const before = processes.map(cpuOf);
      const begun = performance.now();
      const run = new Promise<void>((resolve, reject) => {
        const child = spawn('node', [program, ...args, '--config', config], { stdio: ['ignore', 'ignore', 'inherit'] });
        child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${name}: exit ${code}`))));
      });
      const times = await answers(run);
      await run;
      const cpu = processes.map((one, index) => (cpuOf(one) - (before[index] ?? 0)).toFixed(1));
      say(
        `${name} ${((performance.now() - begun) / 1000).toFixed(1)} s; processor s of server and its processes: ${cpu.join(', ')}`,
      );
      say(
        `  largest memory so far, MiB: ${processes.map((one) => statusOf(one, 'VmHWM')).join(', ')}; answers ${shown(times)}`,
      );
    }
  } finally {
    await end();
    rmSync(folder, { recursive: true });
  }
}, 600_000);
