import { LiveScreen, type TerminalStream } from './live-screen.js';
import { transferLine } from './transfer-line.js';

const REDRAW_MS = 100;
/** In a log file, one line for each of these is enough to see that it goes on. */
const LINE_MS = 5000;
const LINE_WIDTH = 120;

/** `drawn`: redrawn in place; `lines`: a plain line now and then, none of what is over at once; `none`: not told. */
export type ProgressForm = 'drawn' | 'lines' | 'none';

/** The progress of one transfer: bytes, rate, and how long it will take. */
export class TransferProgress {
  readonly #stream: TerminalStream;
  readonly #form: ProgressForm;
  readonly #screen: LiveScreen | undefined;
  readonly #startedAt = performance.now();
  #label: string;
  #total: number | undefined;
  #shownAt: number;
  #bytes = 0;
  #lines = 0;

  constructor(stream: TerminalStream, form: ProgressForm, label: string, total: number | undefined) {
    this.#stream = stream;
    this.#form = form;
    this.#screen = form === 'drawn' ? new LiveScreen(stream) : undefined;
    this.#label = label;
    this.#total = total;
    this.#shownAt = form === 'drawn' ? Number.NEGATIVE_INFINITY : performance.now();
  }

  add(bytes: number): void {
    this.set(this.#bytes + bytes);
  }

  /** Bytes done in all; label and total may become known on the way. */
  set(bytes: number, total = this.#total, label = this.#label): void {
    this.#bytes = bytes;
    this.#total = total;
    this.#label = label;
    const now = performance.now();
    if (now - this.#shownAt < (this.#screen === undefined ? LINE_MS : REDRAW_MS)) return;
    this.#show(now);
  }

  /** Shows the last state; call it once at the end. */
  end(): void {
    if (this.#screen !== undefined || this.#lines > 0) this.#show(performance.now());
  }

  #show(now: number): void {
    this.#shownAt = now;
    const transfer = {
      label: this.#label,
      bytes: this.#bytes,
      total: this.#total,
      elapsedMs: now - this.#startedAt,
    };
    if (this.#screen !== undefined) this.#screen.draw([transferLine(transfer, this.#screen.width)]);
    else if (this.#form === 'lines') {
      this.#lines += 1;
      this.#stream.write(`${transferLine(transfer, LINE_WIDTH)}\n`);
    }
  }
}
