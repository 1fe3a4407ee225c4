import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { invalid } from '../domain/errors.js';
import { readAnswer } from './api-schema.js';
import type { Cli } from './cli.js';
import type { ApiClient } from './client.js';
import { jobSchema } from './job-schema.js';

/** Ctrl-], as in telnet: ends the console, whatever the machine does. */
const ESCAPE = 0x1d;

interface TerminalInput extends Readable {
  readonly isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
}

/** An interactive console of a machine, or of a system on it, over the REST API: keys as requests, the screen as one long answer. */
export async function openConsole(cli: Cli, machine: string, system: string | undefined): Promise<void> {
  const input: TerminalInput = cli.io.stdin;
  if (input.isTTY !== true || input.setRawMode === undefined)
    throw invalid('a console needs a terminal', {
      remedy: 'to run one command: anybios job exec -m MACHINE -- COMMAND',
    });
  const api = await cli.connect();
  const answer = await api.request('POST', `/machines/${encodeURIComponent(machine)}/jobs`, {
    json: {
      kind: 'console',
      ...(system === undefined ? {} : { system }),
      ...size(cli),
      ...(/^[A-Za-z0-9][A-Za-z0-9+._-]{0,62}$/.test(cli.io.env.TERM ?? '') ? { term: cli.io.env.TERM } : {}),
    },
  });
  const { id } = readAnswer(jobSchema, answer, 'job');
  const path = `/jobs/${encodeURIComponent(id)}`;
  cli.note(`console of ${system === undefined ? machine : `${system} on ${machine}`}; Ctrl-] leaves it`);
  const left = new AbortController();
  const keys = new KeySender(api, path);
  const onKeys = (data: Buffer): void => {
    const end = data.indexOf(ESCAPE);
    keys.send(end < 0 ? data : data.subarray(0, end));
    if (end >= 0) left.abort();
  };
  const onResize = (): void => keys.resize(size(cli));
  input.setRawMode(true);
  input.on('data', onKeys).resume();
  process.on('SIGWINCH', onResize);
  try {
    await show(cli, api, path, left.signal);
  } finally {
    input.setRawMode(false);
    input.off('data', onKeys).pause();
    process.off('SIGWINCH', onResize);
    await keys.idle();
  }
  if (left.signal.aborted) await api.request('POST', `${path}/cancel`);
  cli.note('\r\nthe console is closed');
  const ended = readAnswer(jobSchema, await api.get(path), 'job');
  if (ended.state === 'failed' && !left.signal.aborted) {
    cli.note(ended.message ?? ended.state);
    cli.exitCode = 1;
  }
}

async function show(cli: Cli, api: ApiClient, path: string, left: AbortSignal): Promise<void> {
  try {
    const screen = await api.open(`${path}/output`, { signal: left });
    const decoder = new TextDecoder();
    screen.on('data', (chunk: Buffer) => cli.io.stdout.write(decoder.decode(chunk, { stream: true })));
    await once(screen, 'end', { signal: left });
  } catch (error) {
    if (!left.aborted) throw error;
  }
}

function size({ io }: Cli): { readonly columns: number; readonly rows: number } {
  return { columns: io.stdout.columns ?? 80, rows: io.stdout.rows ?? 24 };
}

/** Keys in their order, one request after the other: what is typed meanwhile goes with the next. */
class KeySender {
  readonly #api: ApiClient;
  readonly #path: string;
  #waiting: Buffer[] = [];
  #size: object | undefined;
  #running: Promise<void> | undefined;

  constructor(api: ApiClient, path: string) {
    this.#api = api;
    this.#path = path;
  }

  send(data: Buffer): void {
    if (data.length > 0) this.#waiting.push(Buffer.from(data));
    this.#running ??= this.#run();
  }

  resize(size: object): void {
    this.#size = size;
    this.#running ??= this.#run();
  }

  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      while (this.#waiting.length > 0 || this.#size !== undefined) {
        const size = this.#size;
        this.#size = undefined;
        if (size !== undefined) await this.#api.request('POST', `${this.#path}/resize`, { json: size });
        const data = Buffer.concat(this.#waiting.splice(0));
        for (let at = 0; at < data.length; at += 32_768)
          await this.#api.request('POST', `${this.#path}/input`, { bytes: data.subarray(at, at + 32_768) });
      }
    } catch {
      // The console is not open yet, or has ended: its screen tells; keys that nobody takes are dropped.
      this.#waiting = [];
    } finally {
      this.#running = undefined;
    }
  }
}
