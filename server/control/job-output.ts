/** Text of the output that is kept in the store. */
export const KEPT_OUTPUT = 64 * 1024;

/** What is kept of an output in the store: cut at a letter, not in the middle of one. */
export function keptText(text: string): string {
  const bytes = Buffer.from(text);
  return bytes.length <= KEPT_OUTPUT
    ? text
    : bytes
        .subarray(0, KEPT_OUTPUT)
        .toString('utf8')
        .replace(/\ufffd$/, '');
}

/** Who reads the output of a job while it comes. */
export interface OutputReader {
  /** False = it cannot take more now: `drained` follows. */
  take(chunk: Buffer): boolean;
  end(): void;
}

/**
 * What a job writes, in memory: the first bytes (a command: how it began matters, the machine keeps no more either) or the last ones
 * (logs, consoles: they have no end). Readers get what is kept, then the rest as it comes.
 */
export class JobOutput {
  readonly #limit: number;
  readonly #keep: 'first' | 'last';
  readonly #chunks: Buffer[] = [];
  readonly #readers = new Set<OutputReader>();
  readonly #slow = new Set<OutputReader>();
  #kept = 0;
  #ended = false;
  total = 0;
  /** Called with true when a reader cannot follow, with false when all can again. */
  onSlow: ((slow: boolean) => void) | undefined;

  constructor(limit: number, keep: 'first' | 'last') {
    this.#limit = limit;
    this.#keep = keep;
  }

  get readers(): number {
    return this.#readers.size;
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }

  append(chunk: Buffer): void {
    this.total += chunk.length;
    this.#keepSome(chunk);
    for (const reader of this.#readers) this.#give(reader, chunk);
  }

  /** Returns what ends the reading. */
  read(reader: OutputReader): () => void {
    for (const chunk of this.#chunks) this.#give(reader, chunk);
    if (this.#ended) {
      reader.end();
      return () => undefined;
    }
    this.#readers.add(reader);
    return () => {
      this.#readers.delete(reader);
      this.drained(reader);
    };
  }

  drained(reader: OutputReader): void {
    if (this.#slow.delete(reader) && this.#slow.size === 0) this.onSlow?.(false);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const reader of this.#readers) reader.end();
    this.#readers.clear();
  }

  #give(reader: OutputReader, chunk: Buffer): void {
    if (reader.take(chunk) || this.#slow.has(reader)) return;
    this.#slow.add(reader);
    if (this.#slow.size === 1) this.onSlow?.(true);
  }

  #keepSome(chunk: Buffer): void {
    if (this.#keep === 'first') {
      const part = chunk.subarray(0, this.#limit - this.#kept);
      if (part.length === 0) return;
      this.#chunks.push(part);
      this.#kept += part.length;
      return;
    }
    this.#chunks.push(chunk);
    this.#kept += chunk.length;
    while (this.#kept > this.#limit) {
      const oldest = this.#chunks.shift();
      if (oldest === undefined) return;
      const over = this.#kept - this.#limit;
      this.#kept -= oldest.length;
      if (oldest.length <= over) continue;
      this.#chunks.unshift(oldest.subarray(over));
      this.#kept += oldest.length - over;
    }
  }
}
