import { WireError } from './wire-error.js';

/**
 * Reads a packet from front to back, big-endian, never past its end: a short packet throws WireError with the field that is
 * missing. Byte ranges are views of the input, not copies.
 */
export class Reader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get offset(): number {
    return this.#offset;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  u8(field: string): number {
    return this.#bytes[this.#advance(1, field)] ?? 0;
  }

  u16(field: string): number {
    const at = this.#advance(2, field);
    return ((this.#bytes[at] ?? 0) << 8) | (this.#bytes[at + 1] ?? 0);
  }

  u32(field: string): number {
    const at = this.#advance(4, field);
    const bytes = this.#bytes;
    const high = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
    return ((high << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0;
  }

  /** The next `length` bytes. */
  bytes(length: number, field: string): Uint8Array {
    const start = this.#advance(length, field);
    // Not subarray: that looks for the class of the new view first, which takes longer than to make it.
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + start, length);
  }

  /** Where the next `length` bytes begin, which are passed over. */
  skip(length: number, field: string): number {
    return this.#advance(length, field);
  }

  /** Everything that is left; may be empty. */
  rest(): Uint8Array {
    const start = this.#offset;
    this.#offset = this.#bytes.length;
    return this.#bytes.subarray(start);
  }

  /** Bytes up to a NUL, which is consumed. Throws when there is none, or when more than `limit` bytes stand before it. */
  untilNul(limit: number, field: string): Uint8Array {
    const end = this.#bytes.indexOf(0, this.#offset);
    if (end < 0) throw new WireError(field, 'is not ended by a NUL byte');
    if (end - this.#offset > limit) {
      throw new WireError(field, `is ${end - this.#offset} bytes long, at most ${limit} are allowed`);
    }
    const part = this.#bytes.subarray(this.#offset, end);
    this.#offset = end + 1;
    return part;
  }

  #advance(length: number, field: string): number {
    const start = this.#offset;
    if (length > this.#bytes.length - start) {
      throw new WireError(
        field,
        `needs ${length} bytes at offset ${start}, the packet has ${this.#bytes.length - start} left`,
      );
    }
    this.#offset = start + length;
    return start;
  }
}
