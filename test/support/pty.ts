import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { compiledEntry } from '../../server/paths.js';

/** The compiled command on a terminal of its own, as somebody has it before him: `script` of util-linux makes it. */
export class CliOnTerminal {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  /** All that was shown. */
  shown = '';

  constructor(args: readonly string[], env: Readonly<Record<string, string>>, columns: number, rows: number) {
    const words = [process.execPath, compiledEntry('cli/anybios.js'), ...args].map(quoted).join(' ');
    // The same process after `exec`: the terminal is its own, and its signals are.
    const command = `stty cols ${columns} rows ${rows}; exec ${words}`;
    this.#child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
      env: { PATH: process.env.PATH, TERM: 'xterm-256color', SHELL: '/bin/sh', ...env },
      stdio: 'pipe',
    });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (chunk: Buffer) => {
        this.shown += chunk.toString();
      });
    this.#ended = new Promise((resolve) => this.#child.once('close', resolve));
  }

  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** What came after `from` once it fits. */
  async until(what: string, fits: RegExp, from = 0): Promise<string> {
    const end = Date.now() + 60_000;
    while (!fits.test(this.shown.slice(from))) {
      if (Date.now() > end) throw new Error(`waiting for ${what}, the terminal shows: ${JSON.stringify(this.shown)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return this.shown.slice(from);
  }

  /** Types a line and waits for what it shows. */
  async line(text: string, fits: RegExp): Promise<string> {
    const from = this.shown.length;
    this.type(`${text}\r`);
    return await this.until(`what "${text}" shows`, fits, from);
  }

  /** As when somebody pulls at the window: the kernel tells the program by SIGWINCH. */
  resize(columns: number, rows: number): void {
    execFileSync('stty', ['-F', this.#terminal(), 'cols', String(columns), 'rows', String(rows)]);
  }

  /** Whether the terminal is as programs find it: what is typed is shown and comes by lines. */
  isPlain(): boolean {
    return / icanon .* echo /s.test(execFileSync('stty', ['-F', this.#terminal(), '-a'], { encoding: 'utf8' }));
  }

  /** Its exit status. */
  async ended(): Promise<number | null> {
    return await this.#ended;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Of the child of `script`. */
  #terminal(): string {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        const status = readFileSync(`/proc/${pid}/status`, 'utf8');
        if (new RegExp(`^PPid:\\t${this.#child.pid}$`, 'm').test(status)) return readlinkSync(`/proc/${pid}/fd/0`);
      } catch {
        // Another process that has just ended.
      }
    }
    throw new Error(`the command has ended: ${this.shown}`);
  }
}

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
