import { readSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import koffi from 'koffi';
import { Arena } from '../native/arena.js';
import { c } from '../native/libc.js';
import { MessageBatch } from '../native/message-batch.js';
import { AF_INET, decodeSocketAddress, encodeSocketAddress } from '../native/socket-address.js';
import { DATA_HEADER_BYTES, OPCODE, writeDataHeader } from '../wire/tftp/packet.js';
import type { BlockSource } from './block-source.js';
import { type Link, openLink } from './fast-link.js';
import { FastRoute, keyOf, type Waiting } from './fast-route.js';
import type { Peer } from './messages.js';
import type { PeerKey, Wire } from './wire.js';

const SOL_UDP = 17;
/** UDP GSO: one message is cut into datagrams of this size behind the IP stack (Linux 4.18). */
const UDP_SEGMENT = 103;
const MSG_DONTWAIT = 0x40;
const POLLIN = 1;
const POLLOUT = 4;
const POLLFD_BYTES = 8;
/** The larger of the two kinds of address, sockaddr_in6. */
const NAME_BYTES = 28;
// Numbers of Linux on x86-64 and arm64.
const EIO = 5;
const EAGAIN = 11;
const EINVAL = 22;
const EMSGSIZE = 90;

/** Messages in one system call. More brings nothing that could be measured. */
const BATCH = 64;
/** A request of RFC 2347 has 512 bytes at most; everything else that comes is shorter. */
const RECEIVE_BYTES = 2304;
/** Of one message: what fits into a datagram over IPv4 (65,507), and its segments into what Linux takes at once (64). */
const MESSAGE_BYTES = 65_507;
const SEGMENTS = 64;
const PAYLOAD_BYTES = 4 << 20;
/** How long a full send buffer is waited for; then the message counts as lost (ms). */
const PATIENCE = 20;
/** So many refusals in a row, and segmenting is left off for the whole address. */
const REFUSALS = 4;

export type ReceiveFast = (key: PeerKey, bytes: Uint8Array, peer: () => Peer, local: string) => void;
/** By far the most frequent packet, told without making an object of it. False = not a client's of ours: to be handed out as any other. */
export type ReceiveAck = (key: PeerKey, block: number) => boolean;

/**
 * One socket for each address, from which and to which many datagrams go in one system call. Payload is copied into one arena: the
 * kernel is never told an address outside it.
 */
export class FastWire implements Wire {
  readonly #arena = new Arena((4 << 20) + PAYLOAD_BYTES);
  readonly #links: Link[] = [];
  readonly #in = new MessageBatch(this.#arena, BATCH);
  readonly #inAt = this.#arena.take(BATCH * RECEIVE_BYTES);
  readonly #inViews: Uint8Array[];
  readonly #out = new MessageBatch(this.#arena, BATCH, 24);
  readonly #outAt = this.#arena.take(PAYLOAD_BYTES);
  /** The first `#pending` of them wait. */
  readonly #waiting: readonly Waiting[] = Array.from({ length: BATCH }, () => ({
    route: undefined,
    segment: 0,
    at: 0,
    length: 0,
  }));
  #pending = 0;
  /** Of the payload, bytes. */
  #used = 0;
  #link: Link | undefined;
  /** Segmented messages refused since one went through. */
  #refusals = 0;
  readonly #poll: number;
  readonly #wake: number;
  readonly #woken = new Uint8Array(8);
  readonly #count: number;

  /** `wake`: a descriptor (eventfd) that ends a wait. Throws ListenError; then nothing stays open. */
  constructor(addresses: readonly string[], port: number, wake: number) {
    this.#wake = wake;
    this.#inViews = Array.from({ length: BATCH }, (_, index) => {
      const at = this.#inAt + index * RECEIVE_BYTES;
      this.#in.setPayload(index, at, RECEIVE_BYTES);
      this.#in.setNameLength(index, NAME_BYTES);
      return this.#arena.bytes.subarray(at, at + RECEIVE_BYTES);
    });
    try {
      for (const address of addresses) {
        this.#links.push(openLink(this.#arena, address, this.#links[0]?.port ?? port));
      }
    } catch (error) {
      this.close();
      throw error;
    }
    this.#count = this.#links.length + 1;
    this.#poll = this.#arena.take(this.#count * POLLFD_BYTES);
    [wake, ...this.#links.map(({ fd }) => fd)].forEach((fd, index) => {
      this.#arena.view.setInt32(this.#poll + index * POLLFD_BYTES, fd, true);
      this.#arena.view.setInt16(this.#poll + index * POLLFD_BYTES + 4, POLLIN, true);
    });
  }

  get port(): number {
    return this.#links[0]?.port ?? 0;
  }

  get links(): readonly Link[] {
    return this.#links;
  }

  /** Waits for a packet or for the wake-up, `milliseconds` at most; -1 = for ever. */
  wait(milliseconds: number): void {
    const { view } = this.#arena;
    if (c().poll(this.#arena.addressOf(this.#poll), this.#count, milliseconds) <= 0) return;
    if (view.getInt16(this.#poll + 6, true) === 0) return;
    // Reading sets an eventfd back; nobody else reads it, so this cannot block.
    readSync(this.#wake, this.#woken, 0, 8, null);
  }

  /** Hands out what has come, at most one batch of each socket. True = there may be more. */
  receive(hand: ReceiveFast, ack: ReceiveAck): boolean {
    const { view } = this.#arena;
    let more = false;
    for (const link of this.#links) {
      const count = c().recvmmsg(link.fd, this.#in.address, BATCH, MSG_DONTWAIT, 0);
      more ||= count === BATCH;
      for (let index = 0; index < count; index++) {
        const bytes = this.#inViews[index];
        this.#in.setNameLength(index, NAME_BYTES);
        if (bytes === undefined || this.#in.isTruncated(index)) continue;
        const name = this.#in.nameAt(index);
        const key = this.#keyAt(name);
        const length = this.#in.lengthOf(index);
        const at = this.#inAt + index * RECEIVE_BYTES;
        if (length >= 4 && view.getUint16(at) === OPCODE.ack && ack(key, view.getUint16(at + 2))) continue;
        hand(key, bytes.subarray(0, length), () => this.#peerAt(name), link.address);
      }
    }
    return more;
  }

  route(peer: Peer, local: string, onFailure: (reason: string) => void): FastRoute {
    const link = this.#links.find(({ address }) => address === local);
    if (link === undefined) throw new Error(`${local} is no address of this server`);
    const name = encodeSocketAddress(peer.address, peer.port, (zone) => Number(zone) || c().if_nametoindex(zone));
    return new FastRoute(this, link, name, keyOf(name), onFailure);
  }

  /** One datagram that is given whole. */
  add(route: FastRoute, bytes: Uint8Array): void {
    const at = this.#room(route, bytes.length);
    this.#arena.bytes.set(bytes, at);
    this.#message(route, at, bytes.length, undefined);
  }

  /** Blocks of a file: as segments of few messages where the path takes that, else one message each. */
  addBlocks(route: FastRoute, source: BlockSource, blockSize: number, first: number, count: number): void {
    const packet = blockSize + DATA_HEADER_BYTES;
    const fits = blockSize + DATA_HEADER_BYTES + route.link.headers <= route.link.mtu;
    const together =
      count > 1 && fits && route.segments && route.link.segments
        ? Math.min(SEGMENTS, Math.floor(MESSAGE_BYTES / packet))
        : 1;
    for (let block = first; block < first + count; ) {
      const number = Math.min(together, first + count - block);
      const start = this.#room(route, number * packet);
      let at = start;
      for (let index = 0; index < number; index++, block++) {
        const offset = (block - 1) * blockSize;
        const length = Math.min(blockSize, source.size - offset);
        writeDataHeader(this.#arena.bytes, at, block);
        source.copy(offset, length, this.#arena.bytes, at + DATA_HEADER_BYTES);
        at += DATA_HEADER_BYTES + length;
      }
      this.#message(route, start, at - start, number === 1 ? undefined : packet);
    }
  }

  /** Sends everything that waits. */
  flush(): void {
    const link = this.#link;
    const total = this.#pending;
    if (link === undefined || total === 0) return;
    let sent = 0;
    let patient = true;
    const plain: Waiting[] = [];
    while (sent < total) {
      const count = c().sendmmsg(link.fd, this.#out.addressOf(sent), total - sent, MSG_DONTWAIT);
      if (count > 0) {
        for (let index = sent; index < sent + count; index++) {
          if (this.#waiting[index]?.segment !== 0) this.#refusals = 0;
        }
        sent += count;
        continue;
      }
      // The reason of the first one that was not sent.
      const errno = koffi.errno();
      if (errno === EAGAIN && patient && this.#roomToSend(link)) continue;
      if (errno === EAGAIN) patient = false;
      const failed = this.#waiting[sent];
      sent += 1;
      if (failed?.route === undefined) continue;
      if (failed.segment !== 0 && (errno === EIO || errno === EINVAL || errno === EMSGSIZE)) {
        this.#segmentsRefused(failed.route, errno);
        plain.push({ ...failed });
      } else failed.route.onFailure(getSystemErrorName(-errno));
    }
    this.#pending = 0;
    // Their payload is still where it was: the same bytes, one message for each block.
    for (const failed of plain) this.#sendPlain(failed);
    this.#used = 0;
  }

  close(): void {
    for (const { fd } of this.#links) c().close(fd);
  }

  /** EIO: this network card cannot do it. EINVAL: often the path to this one client has become narrower. */
  #segmentsRefused(route: FastRoute, errno: number): void {
    route.segments = false;
    this.#refusals += 1;
    if (errno === EIO || this.#refusals >= REFUSALS) route.link.segments = false;
  }

  #sendPlain({ route, segment, length, at }: Waiting): void {
    if (route === undefined) return;
    for (let done = 0; done < length; done += segment) {
      if (this.#pending === BATCH) this.flush();
      this.#message(route, at + done, Math.min(segment, length - done), undefined);
    }
    this.flush();
  }

  #roomToSend(link: Link): boolean {
    const at = this.#poll;
    const { view } = this.#arena;
    const [fd, events] = [view.getInt32(at, true), view.getInt16(at + 4, true)];
    view.setInt32(at, link.fd, true);
    view.setInt16(at + 4, POLLOUT, true);
    const ready = c().poll(this.#arena.addressOf(at), 1, PATIENCE) > 0;
    view.setInt32(at, fd, true);
    view.setInt16(at + 4, events, true);
    return ready;
  }

  /** Where `length` bytes of the next message may lie. */
  #room(route: FastRoute, length: number): number {
    if (
      this.#pending === BATCH ||
      this.#used + length > PAYLOAD_BYTES ||
      (this.#link !== route.link && this.#pending > 0)
    ) {
      this.flush();
    }
    return this.#outAt + this.#used;
  }

  #message(route: FastRoute, at: number, length: number, segment: number | undefined): void {
    const index = this.#pending;
    const waiting = this.#waiting[index];
    if (waiting === undefined) throw new RangeError('more messages than a batch holds');
    this.#pending = index + 1;
    this.#link = route.link;
    this.#used = at - this.#outAt + length;
    this.#writeName(route.words, this.#out.nameAt(index));
    this.#out.setNameLength(index, route.name.length);
    this.#out.setPayload(index, at, length);
    if (segment === undefined) this.#out.setControlLength(index, 0);
    else this.#out.setControlU16(index, SOL_UDP, UDP_SEGMENT, segment);
    waiting.route = route;
    waiting.segment = segment ?? 0;
    waiting.at = at;
    waiting.length = length;
  }

  /** As words: a `set` for each packet costs more than these few stores. */
  #writeName(words: Uint32Array, at: number): void {
    const { view } = this.#arena;
    for (let index = 0; index < words.length; index++) view.setUint32(at + 4 * index, words[index] ?? 0, true);
  }

  #keyAt(name: number): PeerKey {
    const { view } = this.#arena;
    return view.getUint16(name, true) === AF_INET
      ? view.getUint32(name + 4) * 65_536 + view.getUint16(name + 2)
      : keyOf(this.#arena.bytes.subarray(name, name + NAME_BYTES));
  }

  #peerAt(name: number): Peer {
    return decodeSocketAddress(this.#arena.bytes.subarray(name, name + NAME_BYTES)) ?? { address: '0.0.0.0', port: 0 };
  }
}
