import { getSystemErrorName } from 'node:util';
import koffi from 'koffi';
import { unavailable } from '../domain/errors.js';
import { formatIpv4, type Ipv4 } from '../domain/ipv4.js';
import { Arena } from '../native/arena.js';
import { c } from '../native/libc.js';
import { MessageBatch } from '../native/message-batch.js';
import { AF_INET } from '../native/socket-address.js';
import { type Refusals, SendThread } from './send-thread.js';

/** Datagrams that are taken in one system call. */
const MOST = 64;
/** Answers that leave in one: a few, so that those who wait for them go on while the next ones are made. */
const MOST_OUT = 16;
/** Batches of answers: one is filled while the others are on their way. */
const BATCHES = 8;
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

/** Answers on their way, and whom to tell when the kernel refuses one. */
interface Batch {
  readonly messages: MessageBatch;
  readonly at: number;
  readonly lengths: Uint16Array;
  readonly failed: SendFailed[];
}

/**
 * Many datagrams of one UDP socket in one system call, both ways, without dgram's objects for each. Nothing here waits: what came
 * is taken, and what is sent is collected until `flush`. With a thread of its own for sending, full batches leave by that.
 */
export class Datagrams {
  readonly #fd: number;
  readonly #arena = new Arena(MOST * (RECEIVE_BYTES + 512) + BATCHES * MOST_OUT * (SEND_BYTES + 512));
  readonly #in: MessageBatch;
  readonly #inAt: number;
  readonly #batches: readonly Batch[];
  readonly #later: SendLater;
  readonly #mayThread: boolean;
  #thread: SendThread | undefined;
  #current = 0;
  #queued = 0;

  /**
   * `fd` stays the caller's, until `close` has resolved. `thread`: a thread is started when so much is to be sent that it pays; then
   * answers of one turn may overtake each other. Throws `unavailable` where the layouts of such calls are not known.
   */
  constructor(fd: number, later: SendLater, { thread = false }: { readonly thread?: boolean } = {}) {
    this.#fd = fd;
    this.#later = later;
    this.#mayThread = thread;
    this.#in = new MessageBatch(this.#arena, MOST);
    this.#inAt = this.#arena.take(MOST * RECEIVE_BYTES);
    for (let i = 0; i < MOST; i++) {
      this.#in.setPayload(i, this.#inAt + i * RECEIVE_BYTES, RECEIVE_BYTES);
      this.#in.setNameLength(i, 0);
    }
    this.#batches = Array.from({ length: thread ? BATCHES : 1 }, () => this.#newBatch());
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
      else take(new Uint8Array(block.buffer, at, length));
      at += length;
    }
    return whole;
  }

  /** Collects a datagram; a full collection leaves at once. `failed` is called when the kernel refuses it. */
  queue(bytes: Uint8Array, port: number, to: Ipv4, failed: SendFailed): void {
    if (bytes.length > SEND_BYTES) throw new RangeError(`a DHCP answer of ${bytes.length} bytes`);
    const batch = this.#batch();
    const index = this.#queued++;
    const at = batch.at + index * SEND_BYTES;
    this.#arena.bytes.set(bytes, at);
    batch.messages.setPayload(index, at, bytes.length);
    const name = batch.messages.nameAt(index);
    this.#arena.view.setUint16(name + 2, port);
    this.#arena.view.setUint32(name + 4, to);
    batch.failed[index] = failed;
    batch.lengths[index] = bytes.length;
    if (this.#queued === MOST_OUT && !this.#handOver()) this.flush();
  }

  /** Sends what was collected. One that is refused does not hold the others up. */
  flush(): void {
    const count = this.#queued;
    const batch = this.#batch();
    this.#queued = 0;
    let sent = 0;
    while (sent < count) {
      const now = c().sendmmsg(this.#fd, batch.messages.addressOf(sent), count - sent, MSG_DONTWAIT);
      if (now > 0) {
        sent += now;
        continue;
      }
      const name = getSystemErrorName(-koffi.errno());
      if (name === 'EINTR') continue;
      this.#refused(batch, sent, name);
      sent++;
    }
    batch.failed.length = 0;
  }

  /** Sends the rest. When it resolves the descriptor is not used any more. */
  async close(): Promise<void> {
    this.flush();
    await this.#thread?.close();
    this.#thread = undefined;
  }

  /** Gives the full batch to the thread and begins the next one; false = it is still the caller's to send. */
  #handOver(): boolean {
    if (!this.#mayThread) return false;
    this.#thread ??= new SendThread(
      this.#fd,
      this.#batches.map(({ messages }) => Array.from({ length: MOST_OUT }, (_, index) => messages.addressOf(index))),
      (refusals) => this.#notSent(refusals),
    );
    const next = this.#thread.next(this.#current);
    // All are on their way: it is quicker to send this one here than to wait.
    if (!this.#thread.isFree(next) || !this.#thread.take(this.#current, MOST_OUT)) return false;
    this.#current = next;
    this.#queued = 0;
    return true;
  }

  #notSent({ batch, refused }: Refusals): void {
    const its = this.#batches[batch];
    if (its !== undefined) for (const { index, reason } of refused) this.#refused(its, index, reason);
  }

  #refused({ messages, at, lengths, failed }: Batch, index: number, reason: string): void {
    const tell = failed[index];
    const name = messages.nameAt(index);
    const port = this.#arena.view.getUint16(name + 2);
    const to = this.#arena.view.getUint32(name + 4) as Ipv4;
    if (tell === undefined) return;
    if (reason === 'EAGAIN' || reason === 'ENOBUFS') {
      const from = at + index * SEND_BYTES;
      this.#later(this.#arena.bytes.slice(from, from + (lengths[index] ?? 0)), port, to, tell);
    } else tell(unavailable(`cannot send to ${formatIpv4(to)}:${port}: ${reason}`));
  }

  #batch(): Batch {
    const batch = this.#batches[this.#current];
    if (batch === undefined) throw new RangeError('no such batch');
    return batch;
  }

  #newBatch(): Batch {
    const messages = new MessageBatch(this.#arena, MOST_OUT);
    const at = this.#arena.take(MOST_OUT * SEND_BYTES);
    for (let i = 0; i < MOST_OUT; i++) {
      messages.setNameLength(i, SOCKET_ADDRESS_BYTES);
      this.#arena.view.setUint16(messages.nameAt(i), AF_INET, true);
    }
    return { messages, at, lengths: new Uint16Array(MOST_OUT), failed: [] };
  }
}
