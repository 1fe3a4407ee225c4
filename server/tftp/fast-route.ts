import { AF_INET } from '../native/socket-address.js';
import type { BlockSource } from './block-source.js';
import type { Link } from './fast-link.js';
import type { FastWire } from './fast-wire.js';
import type { PeerKey, Route } from './wire.js';

/** A message that waits to be sent, and what it is made of, to send it in another way. */
export interface Waiting {
  route: FastRoute | undefined;
  /** Bytes of each datagram of it; 0 = it is one datagram. */
  segment: number;
  at: number;
  length: number;
}

/** The way to one client on the fast wire. */
export class FastRoute implements Route {
  readonly key: PeerKey;
  readonly link: Link;
  /** A `struct sockaddr`. */
  readonly name: Uint8Array;
  /** The same in words of this computer's order. */
  readonly words: Uint32Array;
  readonly onFailure: (reason: string) => void;
  /** The path to this client takes segmented messages as far as is known. */
  segments = true;
  readonly #wire: FastWire;

  constructor(wire: FastWire, link: Link, name: Uint8Array, key: PeerKey, onFailure: (reason: string) => void) {
    this.#wire = wire;
    this.link = link;
    this.name = name;
    // Both kinds of address have their own memory and a multiple of four bytes.
    this.words = new Uint32Array(name.buffer, name.byteOffset, name.length / 4);
    this.key = key;
    this.onFailure = onFailure;
  }

  send(bytes: Uint8Array): void {
    this.#wire.add(this, bytes);
  }

  sendBlocks(source: BlockSource, blockSize: number, first: number, count: number): void {
    this.#wire.addBlocks(this, source, blockSize, first, count);
  }
}

/** IPv4: a number, which costs least in a Map; IPv6: the bytes as text. */
export function keyOf(name: Uint8Array): PeerKey {
  const view = new DataView(name.buffer, name.byteOffset, name.byteLength);
  return view.getUint16(0, true) === AF_INET
    ? view.getUint32(4) * 65_536 + view.getUint16(2)
    : Buffer.from(name.subarray(2, 28)).toString('latin1');
}
