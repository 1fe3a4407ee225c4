const ESC = '\u001b[';

/** What the screen needs of a terminal stream (`process.stdout`). */
export interface TerminalStream {
  write(text: string): unknown;
  readonly columns?: number;
  readonly rows?: number;
}

/**
 * Lines redrawn in place at the bottom of a terminal, like a progress display: no alternate screen, so that what was shown
 * last stays in the scroll-back. Lines must not be wider than the terminal (a wrapped line would break the redraw).
 */
export class LiveScreen {
  readonly #stream: TerminalStream;
  #drawn = 0;

  constructor(stream: TerminalStream) {
    this.#stream = stream;
  }

  /** Columns that a line may use: one less than the terminal, for terminals that wrap after the last one. */
  get width(): number {
    return Math.max(20, (this.#stream.columns ?? 80) - 1);
  }

  /** Replaces the lines drawn before. What does not fit the height is counted in a last line. */
  draw(lines: readonly string[]): void {
    const room = Math.max(1, (this.#stream.rows ?? 24) - 1);
    const shown =
      lines.length <= room ? lines : [...lines.slice(0, room - 1), `… and ${lines.length - room + 1} more machines`];
    const up = this.#drawn > 0 ? `${ESC}${this.#drawn}A\r` : '';
    this.#stream.write(`${up}${shown.map((line) => `${ESC}2K${line}\n`).join('')}${ESC}0J`);
    this.#drawn = shown.length;
  }

  /** Prints a line that stays, above the live lines. */
  printAbove(text: string, lines: readonly string[]): void {
    const up = this.#drawn > 0 ? `${ESC}${this.#drawn}A\r` : '';
    this.#stream.write(`${up}${ESC}0J${text}\n`);
    this.#drawn = 0;
    this.draw(lines);
  }
}
