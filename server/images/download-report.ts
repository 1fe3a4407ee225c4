import type { StreamReport } from './stream-messages.js';

const PROGRESS_EVERY = 1000;

/** What is told of one answer: its beginning, at most one progress a second, its end. */
export class DownloadReport {
  readonly #send: (report: StreamReport) => void;
  readonly #base: Pick<StreamReport, 'id' | 'address' | 'name'>;
  readonly #startedAt = performance.now();
  #told = this.#startedAt;
  #status = 0;
  #total = 0;
  #bytes = 0;
  #worthTelling = true;
  #token: string | undefined;

  constructor(send: (report: StreamReport) => void, id: number, address: string | undefined, name: string) {
    this.#send = send;
    this.#base = { id, address: address ?? '', name };
  }

  /** `token`: nginx sends it, and its log tells the end. */
  begin(status: number, total: number, worthTelling: boolean, token?: string): void {
    this.#token = token;
    this.#status = status;
    this.#total = total;
    this.#worthTelling = worthTelling;
    if (worthTelling) this.#tell('started');
  }

  progress(bytes: number): void {
    this.#bytes = bytes;
    if (!this.#worthTelling || performance.now() - this.#told < PROGRESS_EVERY || bytes === this.#total) return;
    this.#tell('progress');
  }

  end(phase: 'sent' | 'probed' | 'failed', status: number, bytes: number | undefined, total: number, reason?: string) {
    this.#status = status;
    this.#total = total;
    if (bytes !== undefined) this.#bytes = bytes;
    if (this.#worthTelling || phase === 'failed') this.#tell(phase, reason);
  }

  #tell(phase: StreamReport['phase'], reason?: string): void {
    const now = performance.now();
    this.#told = now;
    this.#send({
      ...this.#base,
      phase,
      status: this.#status,
      bytes: this.#bytes,
      total: this.#total,
      milliseconds: Math.round(now - this.#startedAt),
      ...(reason === undefined ? {} : { reason }),
      ...(this.#token === undefined ? {} : { token: this.#token }),
    });
  }
}
