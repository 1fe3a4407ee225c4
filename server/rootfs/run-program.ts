import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AnybiosError, invalid, unavailable } from '../domain/errors.js';

export interface RunOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Ends the program; also when the time is over. */
  readonly signal: AbortSignal;
  readonly stdin?: Readable;
  /** Called when it runs. */
  readonly started?: (pid: number) => void;
  /** Gets its standard output; otherwise that is collected, a few megabytes at most. */
  readonly output?: (stdout: Readable) => Promise<void>;
}

/** In which Debian package a program is. */
const PACKAGE_OF: Readonly<Record<string, string>> = {
  mksquashfs: 'squashfs-tools',
  sqfstar: 'squashfs-tools',
  unsquashfs: 'squashfs-tools',
  getcap: 'libcap2-bin',
  xz: 'xz-utils',
};
const OUTPUT_LIMIT = 256 << 20;
const TOLD_LINES = 3;

/**
 * Runs a program with its arguments as they are (no shell). Resolves to its output; rejects with `invalid` and its last lines when it
 * fails, with `unavailable` and the line that installs it when it is not there.
 */
export async function runProgram(program: string, args: readonly string[], options: RunOptions): Promise<string> {
  options.signal.throwIfAborted();
  const child = spawn(program, args, {
    env: { ...options.env, LC_ALL: 'C.UTF-8' },
    stdio: [options.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    signal: options.signal,
    killSignal: 'SIGKILL',
  });
  let complaint = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-4096);
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', (error) => reject(notStarted(program, error)));
    // Who reads its output may have had enough of it.
    child.once('close', (code, signal) =>
      resolve(code ?? (signal === 'SIGPIPE' && options.output !== undefined ? 0 : -1)),
    );
  });
  ended.catch(() => undefined);
  if (child.pid !== undefined) options.started?.(child.pid);
  const { stdin, output } = options;
  // Its own end tells more than the broken pipe to it.
  const fed =
    stdin === undefined || child.stdin === null
      ? undefined
      : pipeline(stdin, child.stdin).catch((error: unknown) => error);
  if (child.stdout === null) throw new Error('no output of the program');
  const [text, code, fault] = await Promise.all([
    output === undefined
      ? collect(child.stdout)
      : handOn(child.stdout, output).catch((error: unknown) => {
          child.kill('SIGKILL');
          throw error;
        }),
    ended,
    fed,
  ]);
  options.signal.throwIfAborted();
  if (fault instanceof AnybiosError) throw fault;
  if (code === 0) return text;
  const lines = complaint
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .slice(-TOLD_LINES);
  throw invalid(`${program} failed: ${lines.join(' | ') || `exit code ${code}`}`, {
    remedy: 'see what it says about its input',
  });
}

async function handOn(stdout: Readable, output: (stdout: Readable) => Promise<void>): Promise<string> {
  await output(stdout);
  return '';
}

async function collect(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    const bytes = chunk as Buffer;
    size += bytes.length;
    if (size <= OUTPUT_LIMIT) chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString();
}

function notStarted(program: string, error: Error): Error {
  if (!('code' in error) || error.code !== 'ENOENT') return error;
  return unavailable(`the program ${program} is needed for this and not installed`, {
    remedy: `apt-get install ${PACKAGE_OF[program] ?? program}`,
    cause: error,
  });
}
