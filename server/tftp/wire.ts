import type { BlockSource } from './block-source.js';
import type { Peer } from './messages.js';

/** What tells clients apart: address and port, in the form that costs a transport least. */
export type PeerKey = string | number;

/** The way to one client, from the address of ours that it asked. */
export interface Route {
  readonly key: PeerKey;
  /** One datagram. */
  send(bytes: Uint8Array): void;
  /** Blocks `first` to `first + count - 1`, which are ready in `source`, each behind its header (wire/tftp/packet.ts). */
  sendBlocks(source: BlockSource, blockSize: number, first: number, count: number): void;
}

/** How the packets of transfers travel: dgram-wire.ts everywhere, fast-wire.ts on Linux. */
export interface Wire {
  /** The port of transfers. */
  readonly port: number;
  /** `onFailure` is called when the operating system refuses a datagram. Throws when `local` is no address of ours. */
  route(peer: Peer, local: string, onFailure: (reason: string) => void): Route;
  close(): void;
}
