import { WireError } from './wire-error.js';

const FIRST_SIZE = 600;

/** Memory for one packet after the other. */
export class Scratch {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.view = new DataView(this.bytes.buffer);
  }
}

/**
 * Writes a packet from front to back, big-endian. Grows as needed up to `limit` bytes; what does not fit throws WireError with
 * the field and the limit and is never cut.
 */
export class Writer {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;
  readonly #limit: number;
  /** What was written here before may be left in the memory. */
  #isUsed: boolean;

  /**
   * `limit`: bytes that the packet may have, e.g. what the peer said it can take. `into`: memory to use again; the packet is then
   * good until the next one is written there.
   */
  constructor(limit: number, into?: Scratch) {
    this.#limit = limit;
    this.#bytes = into?.bytes ?? new Uint8Array(Math.min(limit, FIRST_SIZE));
    this.#view = into?.view ?? new DataView(this.#bytes.buffer);
    this.#isUsed = into !== undefined;
  }

  get length(): number {
    return this.#length;
  }

  /** Bytes that may still be written. */
  get room(): number {
    return this.#limit - this.#length;
  }

  u8(value: number, field: string): void {
    check(value, 0xff, field);
    const at = this.#grow(1, field);
    this.#bytes[at] = value;
  }

  u16(value: number, field: string): void {
    check(value, 0xffff, field);
    const at = this.#grow(2, field);
    this.#view.setUint16(at, value);
  }

  u32(value: number, field: string): void {
    check(value, 0xffffffff, field);
    const at = this.#grow(4, field);
    this.#view.setUint32(at, value);
  }

  bytes(value: Uint8Array, field: string): void {
    const at = this.#grow(value.length, field);
    this.#bytes.set(value, at);
  }

  /** Code, length and value: what every option of DHCP is; the value has at most 255 bytes. */
  option(code: number, value: Uint8Array, field: string): void {
    const { length } = value;
    const at = this.#grow(length + 2, field);
    const bytes = this.#bytes;
    bytes[at] = code;
    bytes[at + 1] = length;
    // A call of the runtime costs more than a few bytes.
    if (length > 16) bytes.set(value, at + 2);
    else for (let i = 0; i < length; i++) bytes[at + 2 + i] = value[i] ?? 0;
  }

  /** A field of fixed `size`: the value, then zeros. A longer value throws. */
  padded(value: Uint8Array, size: number, field: string): void {
    if (value.length > size) throw new WireError(field, `is ${value.length} bytes long, at most ${size} fit`);
    const at = this.#grow(size, field);
    if (this.#isUsed) this.#bytes.fill(0, at + value.length, at + size);
    if (value.length > 0) this.#bytes.set(value, at);
  }

  /** The same for a text of characters up to U+00FF without a NUL; another throws. */
  latin1(value: string, size: number, field: string): void {
    if (value.length > size) throw new WireError(field, `is ${value.length} bytes long, at most ${size} fit`);
    const at = this.#grow(size, field);
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      if (code === 0 || code > 255) throw new WireError(field, `holds the character U+${code.toString(16)}`);
      this.#bytes[at + i] = code;
    }
    if (this.#isUsed) this.#bytes.fill(0, at + value.length, at + size);
  }

  /** The value and a NUL. A NUL inside the value throws: the reader would see two fields. */
  nulTerminated(value: Uint8Array, field: string): void {
    if (value.includes(0)) throw new WireError(field, 'holds a NUL byte');
    const at = this.#grow(value.length + 1, field);
    this.#bytes.set(value, at);
    this.#bytes[at + value.length] = 0;
  }

  /** Zeros up to `length`; nothing when the packet is that long already. */
  zerosUntil(length: number, field: string): void {
    if (length <= this.#length) return;
    const at = this.#grow(length - this.#length, field);
    if (this.#isUsed) this.#bytes.fill(0, at, length);
  }

  /** The packet: a view, valid as long as nothing more is written. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** May replace the buffer: call it before naming `#bytes` or `#view`. */
  #grow(count: number, field: string): number {
    const start = this.#length;
    const end = start + count;
    if (end > this.#limit) {
      throw new WireError(field, `needs ${count} bytes at offset ${start}, the packet may have ${this.#limit} in all`);
    }
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.min(this.#limit, Math.max(end, this.#bytes.length * 2)));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
      this.#isUsed = false;
    }
    this.#length = end;
    return start;
  }
}

function check(value: number, largest: number, field: string): void {
  if (!Number.isInteger(value) || value < 0 || value > largest) {
    throw new WireError(field, `${value} is not a whole number from 0 to ${largest}`);
  }
}
