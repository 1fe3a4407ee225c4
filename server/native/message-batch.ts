import type { Arena } from './arena.js';

// struct mmsghdr (64 bytes on 64-bit Linux, glibc and musl): struct msghdr, then the length that recvmmsg found.
//  0 msg_name *   8 msg_namelen u32   16 msg_iov *   24 msg_iovlen u64   32 msg_control *   40 msg_controllen u64   48 msg_flags i32
// 56 msg_len u32
const HEADER_BYTES = 64;
const NAME_LENGTH = 8;
const IOV_COUNT = 24;
const CONTROL = 32;
const CONTROL_LENGTH = 40;
const FLAGS = 48;
const MESSAGE_LENGTH = 56;
// struct iovec: 0 base *, 8 length u64.
const IOV_BYTES = 16;
/** struct sockaddr_in has 16, sockaddr_in6 28. */
const NAME_BYTES = 32;
// struct cmsghdr: 0 length u64 (16 + data), 8 level i32, 12 type i32; then the data.
const CMSG_DATA = 16;
const MSG_TRUNC = 0x20;

/** Room for `count` datagrams with their addresses, laid out as recvmmsg and sendmmsg want them. */
export class MessageBatch {
  /** Of the first `struct mmsghdr`, as the kernel calls it. */
  readonly address: number;
  readonly count: number;
  readonly #arena: Arena;
  readonly #view: DataView;
  readonly #headers: number;
  readonly #vectors: number;
  readonly #names: number;
  readonly #controls: number;
  readonly #controlBytes: number;

  /** `controlBytes`: room for control messages of each datagram, a multiple of 8. */
  constructor(arena: Arena, count: number, controlBytes = 0) {
    this.#arena = arena;
    this.#view = arena.view;
    this.count = count;
    this.#controlBytes = controlBytes;
    this.#headers = arena.take(count * HEADER_BYTES);
    this.#vectors = arena.take(count * IOV_BYTES);
    this.#names = arena.take(count * NAME_BYTES);
    this.#controls = arena.take(count * controlBytes);
    this.address = arena.addressOf(this.#headers);
    for (let index = 0; index < count; index++) {
      const header = this.#headers + index * HEADER_BYTES;
      arena.point(header, this.nameAt(index));
      arena.point(header + 16, this.#vectors + index * IOV_BYTES);
      this.#view.setUint32(header + IOV_COUNT, 1, true);
    }
  }

  /** The kernel's name for message `index`, to begin sending or receiving there. */
  addressOf(index: number): number {
    return this.address + index * HEADER_BYTES;
  }

  /** Where the address of message `index` lies in the arena: a `struct sockaddr`. */
  nameAt(index: number): number {
    return this.#names + index * NAME_BYTES;
  }

  /** Where the control messages of message `index` lie in the arena. */
  controlAt(index: number): number {
    return this.#controls + index * this.#controlBytes;
  }

  /** Message `index` is, or may fill, the `length` bytes of the arena at `at`. */
  setPayload(index: number, at: number, length: number): void {
    const vector = this.#vectors + index * IOV_BYTES;
    this.#arena.point(vector, at);
    this.#view.setUint32(vector + 8, length, true);
  }

  /** 0 = the socket is connected, or the sender is not asked for. */
  setNameLength(index: number, length: number): void {
    this.#view.setUint32(this.#headers + index * HEADER_BYTES + NAME_LENGTH, length, true);
  }

  nameLength(index: number): number {
    return this.#view.getUint32(this.#headers + index * HEADER_BYTES + NAME_LENGTH, true);
  }

  /** How many bytes of control messages there are (sending) or may come (receiving). */
  setControlLength(index: number, length: number): void {
    const header = this.#headers + index * HEADER_BYTES;
    if (length > 0) this.#arena.point(header + CONTROL, this.controlAt(index));
    this.#view.setUint32(header + CONTROL_LENGTH, length, true);
  }

  /** One control message with a number of 16 bits, as UDP_SEGMENT has. Takes 24 bytes. */
  setControlU16(index: number, level: number, type: number, value: number): void {
    const at = this.controlAt(index);
    this.#view.setUint32(at, CMSG_DATA + 2, true);
    this.#view.setUint32(at + 8, level, true);
    this.#view.setUint32(at + 12, type, true);
    this.#view.setUint16(at + CMSG_DATA, value, true);
    this.setControlLength(index, CMSG_DATA + 8);
  }

  /** Bytes that came. */
  lengthOf(index: number): number {
    return this.#view.getUint32(this.#headers + index * HEADER_BYTES + MESSAGE_LENGTH, true);
  }

  /** More came than there was room for. */
  isTruncated(index: number): boolean {
    return (this.#view.getUint32(this.#headers + index * HEADER_BYTES + FLAGS, true) & MSG_TRUNC) !== 0;
  }
}
