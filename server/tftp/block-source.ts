/** What a transfer takes its blocks from. */
export interface BlockSource {
  /** Bytes. */
  readonly size: number;
  /**
   * True = these bytes are at hand and can be copied now, in this turn. Else they are being read, and `wake` is called once they came
   * or failed. Throws, with words for the client, when they cannot be had.
   */
  ready(offset: number, length: number, wake: () => void): boolean;
  /** Copies bytes that were ready into `into`, from `at` on. */
  copy(offset: number, length: number, into: Uint8Array, at: number): void;
  close(): void;
}

/** A text that was rendered for one request. */
export function memorySource(bytes: Uint8Array): BlockSource {
  return {
    size: bytes.length,
    ready: () => true,
    copy: (offset, length, into, at) => into.set(bytes.subarray(offset, offset + length), at),
    close: () => undefined,
  };
}
