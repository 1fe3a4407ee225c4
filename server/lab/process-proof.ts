import { readFileSync } from 'node:fs';

/**
 * A process id alone proves nothing: the kernel gives it out again. Id and start time together name one process for as long as
 * the machine is up.
 */
export interface ProcessProof {
  readonly pid: number;
  /** Clock ticks since boot, field 22 of /proc/PID/stat (proc(5)). */
  readonly startTime: number;
}

/** The proof of a running process; undefined when there is none (a zombie counts as none: it runs nothing). */
export function proveProcess(pid: number): ProcessProof | undefined {
  const stat = readProc(pid, 'stat');
  if (stat === undefined) return undefined;
  // The second field is the name in brackets and may hold spaces and brackets itself: count from the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
  return { pid, startTime: Number(fields[19]) };
}

/** True while exactly this process runs. */
export function stillRuns(proof: ProcessProof): boolean {
  return proveProcess(proof.pid)?.startTime === proof.startTime;
}

/** True when the process was started with `NAME=VALUE` in its environment, or inherited it. */
export function hasEnvironment(pid: number, name: string, value: string): boolean {
  return readProc(pid, 'environ')?.split('\0').includes(`${name}=${value}`) ?? false;
}

/** Sends a signal to exactly this process; false when it has ended. */
export function signal(proof: ProcessProof, name: 'SIGTERM' | 'SIGKILL' | 'SIGINT'): boolean {
  if (!stillRuns(proof)) return false;
  try {
    return process.kill(proof.pid, name);
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

/** Blocks until none of them runs, at most `milliseconds`; returns those that still do. Used where waiting must be synchronous. */
export function waitUntilEnded(proofs: readonly ProcessProof[], milliseconds: number): readonly ProcessProof[] {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  const end = Date.now() + milliseconds;
  let left = proofs.filter(stillRuns);
  while (left.length > 0 && Date.now() < end) {
    Atomics.wait(clock, 0, 0, 20);
    left = left.filter(stillRuns);
  }
  return left;
}

function readProc(pid: number, name: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

// ENOENT: no such folder; ESRCH: it ended between open and read, or before the signal.
const isGone = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH');
