import type { BlockSource } from './block-source.js';
import type { Link } from './fast-link.js';
import type { FastWire } from './fast-wire.js';
import type { PeerKey, Route } from './wire.js';

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
