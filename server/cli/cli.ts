import type { ApiClient } from './client.js';
import { connect } from './connection.js';
import type { Io } from './io.js';
import { type Style, styleFor } from './terminal/style.js';
import { type Column, fieldLines, tableLines } from './terminal/table.js';
import { TransferProgress } from './terminal/transfer-progress.js';

/** Options that every command takes, before or after its name. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly config?: string;
}

/** What a command works with: where to write, how, and the way to the server. One per run. */
export class Cli {
  readonly io: Io;
  /** Set by a command that did its work and found something wrong (`doctor`, `diff`, `boot watch --once`). */
  exitCode = 0;
  readonly #globals: () => GlobalOptions;

  constructor(io: Io, globals: () => GlobalOptions) {
    this.io = io;
    this.#globals = globals;
  }

  get json(): boolean {
    return this.#globals().json === true;
  }

  /** Colours for standard output. */
  get style(): Style {
    return styleFor(this.io.stdout.isTTY === true && !this.json, this.io.env);
  }

  /** `--config`, if given. */
  get configFile(): string | undefined {
    return this.#globals().config;
  }

  /** Columns of the terminal; `undefined` when the output goes elsewhere: nothing is cut then. */
  get width(): number | undefined {
    return this.io.stdout.isTTY === true ? (this.io.stdout.columns ?? 80) : undefined;
  }

  /** Shown on standard error: drawn on a terminal, lines elsewhere, nothing with --json. */
  progress(label: string, total: number | undefined): TransferProgress {
    const { stderr, env } = this.io;
    const draws = stderr.isTTY === true && env.TERM !== 'dumb';
    return new TransferProgress(stderr, this.json ? 'none' : draws ? 'drawn' : 'lines', label, total);
  }

  connect(): Promise<ApiClient> {
    return connect(this.configFile, this.io.env);
  }

  /** Text for people; nothing with --json. */
  say(text: string): void {
    if (!this.json) this.io.stdout.write(`${text}\n`);
  }

  /** Notes that are not the result. */
  note(text: string): void {
    if (!this.json) this.io.stderr.write(`${text}\n`);
  }

  printJson(value: unknown): void {
    this.io.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
  }

  /** The answer as it is with --json, else as `lines` make it. */
  print(value: unknown, lines: () => readonly string[]): void {
    if (this.json) this.printJson(value);
    else
      this.io.stdout.write(
        lines()
          .map((line) => `${line}\n`)
          .join(''),
      );
  }

  /** A list: `{items}` with --json, else a table, or `empty` when there is nothing. */
  printTable<T>(items: readonly unknown[], rows: readonly T[], columns: readonly Column<T>[], empty: string): void {
    if (this.json) this.printJson({ items });
    else if (rows.length === 0) this.note(empty);
    else this.print(items, () => tableLines(columns, rows, this.width));
  }

  printFields(value: unknown, fields: readonly (readonly [string, string | undefined])[]): void {
    this.print(value, () => fieldLines(fields));
  }
}
