import { endianness } from 'node:os';
import koffi from 'koffi';
import { unavailable } from '../domain/errors.js';

/** What a pointer takes in the structures of message-batch.ts. */
const POINTER_BYTES = 8;

/**
 * Memory whose address the kernel may be told: one large ArrayBuffer, which Node never moves or frees while the arena is alive. All
 * pointers that go to the kernel lead into it, so that a wrong number can at worst show it our own packets.
 */
export class Arena {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly #address: number;
  #used = 0;

  /** `size` in bytes, at least 64 KiB: small buffers lie on the heap and move. Throws `unavailable` on 32-bit or big-endian computers. */
  constructor(size: number) {
    if (size < 1 << 16) throw new RangeError(`an arena of ${size} bytes would not stay where it is`);
    if (endianness() !== 'LE' || koffi.sizeof('void *') !== POINTER_BYTES) {
      throw unavailable('the layouts of native calls are those of 64-bit little-endian computers');
    }
    const buffer = new ArrayBuffer(size);
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    // User space ends at 2^47: a double holds it.
    this.#address = Number(koffi.address(buffer));
  }

  /** The place of `length` bytes of their own, counted from the start of the arena, on a multiple of 16. Throws when it is full. */
  take(length: number): number {
    const at = (this.#used + 15) & ~15;
    if (at + length > this.bytes.length) throw new RangeError('the arena is full');
    this.#used = at + length;
    return at;
  }

  /** What the kernel calls the place `at`. */
  addressOf(at: number): number {
    return this.#address + at;
  }

  /** Writes into the place `at` a pointer to the place `target`. */
  point(at: number, target: number): void {
    const address = this.#address + target;
    this.view.setUint32(at, address >>> 0, true);
    this.view.setUint32(at + 4, Math.floor(address / 0x1_0000_0000), true);
  }
}
