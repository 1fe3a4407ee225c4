import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { ControlDoor } from '../domain/control-door.js';
import { knownHostsLine, sshArguments } from './ssh-command.js';

/** How one connection ended. */
export interface SshEnd {
  /** The machine let us in. */
  readonly entered: boolean;
  /** The lines `anybios:KEY=VALUE` of the other side. */
  readonly told: ReadonlyMap<string, string>;
  /** Why there is no answer: what SSH said last. */
  readonly reason: string;
}

export interface SshSession {
  /** To the other side. */
  write(data: Buffer | string): boolean;
  endInput(): void;
  /** Stops and starts the reading of output: somebody does not take it. */
  pause(): void;
  resume(): void;
  /**
   * Its input, when all that was written has left this process: the output of another session goes there directly (`into`), and then
   * it is that one's alone.
   */
  giveInput(): Promise<Writable>;
  /** Ends it now. */
  close(): void;
  readonly ended: Promise<SshEnd>;
}

export interface SshOptions {
  readonly words: readonly string[];
  /** Written at once; the input stays open unless `endInput`. */
  readonly input?: string;
  readonly tty?: { readonly term: string };
  /** Absent with `into`. */
  readonly onOutput?: (chunk: Buffer) => void;
  /** Of another session: what this one writes is its input, from process to process, and never in the memory of this one. */
  readonly into?: Writable;
  /** A line `anybios:KEY=VALUE`, as it comes. */
  readonly onTold?: (key: string, value: string) => void;
  /** The machine let us in: what was asked for may run from now on. */
  readonly onEntered?: () => void;
}

/** What ssh says of itself is short; a machine that floods us is cut off in our memory, not in its stream. */
const SAID_LIMIT = 64 * 1024;
const KILL_AFTER_MS = 2000;

/**
 * OpenSSH's client, one child process for each connection (ADR 11). The event loop only reads its pipes. Each connection has a
 * known_hosts file of its own with the one host key that the machine registered.
 */
export class SshClient {
  readonly #keyPath: string;
  readonly #program: string;
  readonly #folder: string;
  readonly #running = new Set<SshSession>();
  readonly #opening = new Set<Promise<SshSession>>();

  constructor(keyPath: string, program = 'ssh') {
    this.#keyPath = keyPath;
    this.#program = program;
    this.#folder = mkdtempSync(join(tmpdir(), 'anybios-ssh-'));
  }

  /** Rejects only when the file of the host key cannot be written; what goes wrong with the connection is in `ended`. */
  open(door: ControlDoor, options: SshOptions): Promise<SshSession> {
    const opening = this.#open(door, options).finally(() => this.#opening.delete(opening));
    this.#opening.add(opening);
    return opening;
  }

  async #open(door: ControlDoor, options: SshOptions): Promise<SshSession> {
    const knownHostsPath = join(this.#folder, randomBytes(8).toString('hex'));
    await writeFile(knownHostsPath, knownHostsLine(door), { mode: 0o600 });
    const target = { door, keyPath: this.#keyPath, knownHostsPath };
    const child = spawn(this.#program, sshArguments(target, options.words, { tty: options.tty !== undefined }), {
      // No agent, no DISPLAY, no askpass, no language: only what is said here.
      env: {
        PATH: process.env.PATH ?? '/usr/bin:/bin',
        LC_ALL: 'C',
        HOME: '/nonexistent',
        TERM: options.tty?.term ?? 'dumb',
      },
      stdio: ['pipe', options.into ?? 'pipe', 'pipe'],
    });
    // The child has its own copy; while there is one here the other session's input would not end.
    options.into?.destroy();
    const { stdin, stdout, stderr } = child;
    // Both are pipes: this is for the types.
    if (stdin === null || stderr === null) throw new Error('ssh has no pipes');
    const session = sessionOf(child, { stdin, stdout, stderr }, options);
    this.#running.add(session);
    void session.ended.then(async () => {
      this.#running.delete(session);
      await unlink(knownHostsPath).catch(ignoreMissing);
    });
    return session;
  }

  /** Ends all connections; resolves when their processes are gone. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#opening);
    const running = [...this.#running];
    for (const session of running) session.close();
    await Promise.all(running.map((session) => session.ended));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** The whole folder may have been removed at the end. */
function ignoreMissing(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
}

/** `stdout`: null when another session's input is in its place. */
type Pipes = { readonly stdin: Writable; readonly stdout: Readable | null; readonly stderr: Readable };

function sessionOf(child: ChildProcess, { stdin, stdout, stderr }: Pipes, options: SshOptions): SshSession {
  const told = new Map<string, string>();
  let entered = false;
  let reason = '';
  let rest = '';
  const line = (text: string): void => {
    const [, key, value = ''] = /^anybios:([a-z-]{1,32})=(.*)$/.exec(text) ?? [];
    if (key !== undefined) {
      told.set(key, value);
      options.onTold?.(key, value);
    } else if (text.startsWith('Authenticated to ')) {
      entered = true;
      options.onEntered?.();
    } else if (text !== '' && !/^(Transferred: |Bytes per second: )/.test(text)) reason = text;
  };
  stdout?.on('data', (chunk: Buffer) => options.onOutput?.(chunk));
  stderr.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split(/\r?\n/);
    rest = (lines.pop() ?? '').slice(-SAID_LIMIT);
    for (const text of lines) line(text);
  });
  // A connection that broke: the end of the child tells why.
  stdin.on('error', () => undefined);
  const ended = new Promise<SshEnd>((resolve) => {
    child.once('error', (error) => {
      reason = error.message;
      resolve({ entered, told, reason });
    });
    child.once('close', () => {
      line(rest.trim());
      resolve({
        entered,
        told,
        reason: reason === '' ? 'the connection ended' : reason.replace(/\s+/g, ' ').slice(0, 300),
      });
    });
  });
  if (options.input !== undefined) stdin.write(options.input);
  return {
    write: (data) => stdin.write(data),
    endInput: () => void stdin.end(),
    giveInput: () => new Promise((resolve) => stdin.write('', () => resolve(stdin))),
    pause: () => void stdout?.pause(),
    resume: () => void stdout?.resume(),
    close: () => {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
      stdout?.resume();
      void ended.then(() => clearTimeout(timer));
    },
    ended,
  };
}
