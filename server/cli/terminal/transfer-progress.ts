import { LiveScreen, type TerminalStream } from './live-screen.js';
import { transferLine } from './transfer-line.js';

const REDRAW_MS = 100;

/** The progress of one transfer, redrawn in place on a terminal; draws nothing without one. */
export class TransferProgress {
  readonly #screen: LiveScreen | undefined;
  readonly #label: string;
  readonly #total: number | undefined;
  readonly #startedAt = performance.now();
  #drawnAt = Number.NEGATIVE_INFINITY;
  #bytes = 0;

  constructor(stream: TerminalStream | undefined, label: string, total: number | undefined) {
    this.#screen = stream === undefined ? undefined : new LiveScreen(stream);
    this.#label = label;
    this.#total = total;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
    const now = performance.now();
    if (now - this.#drawnAt < REDRAW_MS) return;
    this.#drawnAt = now;
    this.#draw(now);
  }

  /** Draws the last state; call it once at the end. */
  end(): void {
    this.#draw(performance.now());
  }

  #draw(now: number): void {
    if (this.#screen === undefined) return;
    const transfer = {
      label: this.#label,
      bytes: this.#bytes,
      total: this.#total,
      elapsedMs: now - this.#startedAt,
    };
    this.#screen.draw([transferLine(transfer, this.#screen.width)]);
  }
}
