import type { StreamReport } from './stream-messages.js';

const LINE = /anybios: ([0-9a-f]{32}) (\d{3}) (\d{1,15}) (OK)?\s*$/;
/** A download that nginx never told the end of is forgotten when so many run. */
const MOST = 20_000;
const MOST_EARLY = 1000;

/** Joins what the server began and what nginx's log says of its end. */
export class NginxOutcomes {
  readonly #running = new Map<string, { readonly report: StreamReport; readonly since: number }>();
  /** Ends that were heard before the beginning: a small file is sent faster than the other process tells. */
  readonly #early = new Map<string, string>();
  readonly #onReport: (report: StreamReport) => void;

  constructor(onReport: (report: StreamReport) => void) {
    this.#onReport = onReport;
  }

  began(token: string, report: StreamReport): void {
    const [oldest] = this.#running.keys();
    if (this.#running.size >= MOST && oldest !== undefined)
      this.#end(oldest, 'failed', 0, 'nginx did not tell its end');
    this.#running.set(token, { report, since: performance.now() });
    const line = this.#early.get(token);
    this.#early.delete(token);
    if (line !== undefined) this.line(line);
  }

  /** A line of the log format `anybios`; others are none of ours. */
  line(text: string): void {
    const [, token = '', status = '', bytes = '', complete] = LINE.exec(text) ?? [];
    const running = this.#running.get(token);
    if (running === undefined) {
      if (token === '') return;
      if (this.#early.size >= MOST_EARLY) this.#early.clear();
      this.#early.set(token, text);
      return;
    }
    const sent = Number(bytes);
    const { total } = running.report;
    const good = complete === 'OK' && (status === '200' || status === '206') && sent >= total;
    if (good) this.#end(token, 'sent', total);
    else if (status === '304') this.#end(token, 'probed', 0);
    else
      this.#end(
        token,
        'failed',
        sent,
        status < '300' ? 'the client closed the connection' : `nginx answered ${status}`,
      );
  }

  /** nginx ended: so did its downloads. */
  failAll(reason: string): void {
    for (const token of [...this.#running.keys()]) this.#end(token, 'failed', 0, reason);
  }

  #end(token: string, phase: 'sent' | 'probed' | 'failed', bytes: number, reason?: string): void {
    const running = this.#running.get(token);
    if (running === undefined) return;
    this.#running.delete(token);
    const milliseconds = Math.round(performance.now() - running.since);
    this.#onReport({ ...running.report, phase, bytes, milliseconds, ...(reason === undefined ? {} : { reason }) });
  }
}
