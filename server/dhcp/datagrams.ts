import { getSystemErrorName } from 'node:util';
import koffi from 'koffi';
import { unavailable } from '../domain/errors.js';
import { formatIpv4, type Ipv4 } from '../domain/ipv4.js';
import { Arena } from '../native/arena.js';
import { c } from '../native/libc.js';
import { MessageBatch } from '../native/message-batch.js';
import { AF_INET } from '../native/socket-address.js';

/** Datagrams of one system call. */
const MOST = 64;
/** Larger than what any client of DHCP sends; a jumbo frame is refused, not cut. */
export const LARGEST_MESSAGE = 4096;
const RECEIVE_BYTES = LARGEST_MESSAGE;
const SEND_BYTES = 1536;
const SOCKET_ADDRESS_BYTES = 16;
const MSG_DONTWAIT = 0x40;

/** Told of an answer that the kernel refused. */
export type SendFailed = (error: Error) => void;

/** Takes a datagram for which the socket's buffer has no room now. */
export type SendLater = (bytes: Uint8Array, port: number, to: Ipv4, failed: SendFailed) => void;

/**
 * Many datagrams of one UDP socket in one system call, both ways, without dgram's objects for each. Nothing here waits: what came
 * is taken, and what is sent is collected until `flush`.
 */
export class Datagrams {
  readonly #fd: number;
  readonly #arena = new Arena(MOST * (RECEIVE_BYTES + SEND_BYTES + 512));
  readonly #in: MessageBatch;
  readonly #inAt: number;
  readonly #out: MessageBatch;
  readonly #outAt: number;
  readonly #later: SendLater;
  readonly #failed: SendFailed[] = [];
  readonly #lengths = new Uint16Array(MOST);
  #queued = 0;

  /** `fd` stays the caller's. Throws `unavailable` where the layouts of such calls are not known. */
  constructor(fd: number, later: SendLater) {
    this.#fd = fd;
    this.#later = later;
    this.#in = new MessageBatch(this.#arena, MOST);
    this.#inAt = this.#arena.take(MOST * RECEIVE_BYTES);
    this.#out = new MessageBatch(this.#arena, MOST);
    this.#outAt = this.#arena.take(MOST * SEND_BYTES);
    for (let i = 0; i < MOST; i++) {
      this.#in.setPayload(i, this.#inAt + i * RECEIVE_BYTES, RECEIVE_BYTES);
      this.#in.setNameLength(i, 0);
      this.#out.setNameLength(i, SOCKET_ADDRESS_BYTES);
      this.#arena.view.setUint16(this.#out.nameAt(i), AF_INET, true);
    }
  }

  /**
   * Hands over what waits in the socket, at most 64 datagrams; the bytes are the taker's to keep. False = one was too large for any
   * DHCP message and is left out.
   */
  receive(take: (bytes: Uint8Array) => void): boolean {
    const count = c().recvmmsg(this.#fd, this.#in.address, MOST, MSG_DONTWAIT, 0);
    // Nothing waits. What else may be wrong with a socket, dgram tells: it reads the next one.
    if (count <= 0) return true;
    let total = 0;
    let whole = true;
    for (let i = 0; i < count; i++) total += this.#in.lengthOf(i);
    // One block of memory for all: a block for each would cost more than reading it.
    const block = new Uint8Array(total);
    let at = 0;
    for (let i = 0; i < count; i++) {
      const length = this.#in.lengthOf(i);
      const from = this.#inAt + i * RECEIVE_BYTES;
      block.set(this.#arena.bytes.subarray(from, from + length), at);
      if (this.#in.isTruncated(i)) whole = false;
      else take(block.subarray(at, at + length));
      at += length;
    }
    return whole;
  }

  /** Collects a datagram; a full collection leaves at once. `failed` is called when the kernel refuses it. */
  queue(bytes: Uint8Array, port: number, to: Ipv4, failed: SendFailed): void {
    if (bytes.length > SEND_BYTES) throw new RangeError(`a DHCP answer of ${bytes.length} bytes`);
    const index = this.#queued++;
    const at = this.#outAt + index * SEND_BYTES;
    this.#arena.bytes.set(bytes, at);
    this.#out.setPayload(index, at, bytes.length);
    const name = this.#out.nameAt(index);
    this.#arena.view.setUint16(name + 2, port);
    this.#arena.view.setUint32(name + 4, to);
    this.#failed[index] = failed;
    this.#lengths[index] = bytes.length;
    if (this.#queued === MOST) this.flush();
  }

  /** Sends what was collected. One that is refused does not hold the others up. */
  flush(): void {
    const count = this.#queued;
    this.#queued = 0;
    let sent = 0;
    while (sent < count) {
      const now = c().sendmmsg(this.#fd, this.#out.addressOf(sent), count - sent, MSG_DONTWAIT);
      if (now > 0) {
        sent += now;
        continue;
      }
      const name = getSystemErrorName(-koffi.errno());
      if (name === 'EINTR') continue;
      this.#refused(sent, name);
      sent++;
    }
    this.#failed.length = 0;
  }

  #refused(index: number, reason: string): void {
    const failed = this.#failed[index];
    const name = this.#out.nameAt(index);
    const port = this.#arena.view.getUint16(name + 2);
    const to = this.#arena.view.getUint32(name + 4) as Ipv4;
    if (failed === undefined) return;
    if (reason === 'EAGAIN' || reason === 'ENOBUFS') {
      const at = this.#outAt + index * SEND_BYTES;
      this.#later(this.#arena.bytes.slice(at, at + (this.#lengths[index] ?? 0)), port, to, failed);
    } else failed(unavailable(`cannot send to ${formatIpv4(to)}:${port}: ${reason}`));
  }
}
