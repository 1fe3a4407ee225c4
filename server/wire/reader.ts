import { WireError } from './wire-error.js';

/**
 * Reads a packet from front to back, big-endian, never past its end: a short packet throws WireError with the field that is
 * missing. Byte ranges are views of the input, not copies.
 */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get offset(): number {
    return this.#offset;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  u8(field: string): number {
    return this.#view.getUint8(this.#advance(1, field));
  }

  u16(field: string): number {
    return this.#view.getUint16(this.#advance(2, field));
  }

  u32(field: string): number {
    return this.#view.getUint32(this.#advance(4, field));
  }

  /** The next `length` bytes. */
  bytes(length: number, field: string): Uint8Array {
    const start = this.#advance(length, field);
    return this.#bytes.subarray(start, start + length);
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
