import type { RemoteInfo, Socket } from 'node:dgram';
import { DATA_HEADER_BYTES, writeDataHeader } from '../wire/tftp/packet.js';
import type { Peer } from './messages.js';
import { openUdp } from './udp-socket.js';
import type { PeerKey, Route, Wire } from './wire.js';

/** A datagram, from whom, and which address of ours it came to. */
export type Receive = (key: PeerKey, bytes: Uint8Array, peer: RemoteInfo, local: string) => void;

/**
 * Sockets for each address: one receive buffer of the usual 208 KiB would hold the answers of a few hundred clients only. A transfer
 * keeps to one of them.
 */
const SOCKETS = 8;

const keyOf = (peer: Peer): PeerKey => `${peer.address} ${peer.port}`;

/** Node's own sockets: everywhere, without native code. */
export class DgramWire implements Wire {
  readonly port: number;
  readonly #sockets: ReadonlyMap<string, readonly Socket[]>;
  #turn = 0;
  #packet = Buffer.alloc(0);

  private constructor(port: number, sockets: ReadonlyMap<string, readonly Socket[]>) {
    this.port = port;
    this.#sockets = sockets;
  }

  /** `singlePort`: the one port that everything runs on. Rejects when it cannot be had; then nothing stays open. */
  static async open(
    addresses: readonly string[],
    singlePort: number | undefined,
    receive: Receive,
  ): Promise<DgramWire> {
    const sockets = new Map<string, Socket[]>();
    let port = singlePort ?? 0;
    try {
      for (const address of addresses) {
        const own: Socket[] = [];
        sockets.set(address, own);
        for (let count = 0; count < (singlePort === undefined ? SOCKETS : 1); count++) {
          const socket = await openUdp(address, singlePort === undefined ? 0 : port);
          own.push(socket);
          if (port === 0) port = socket.address().port;
          socket.on('message', (bytes, peer) => receive(keyOf(peer), bytes, peer, address));
        }
      }
    } catch (error) {
      for (const own of sockets.values()) for (const socket of own) socket.close();
      throw error;
    }
    return new DgramWire(port, sockets);
  }

  route(peer: Peer, local: string, onFailure: (reason: string) => void): Route {
    const own = this.#sockets.get(local) ?? [];
    this.#turn = (this.#turn + 1) % SOCKETS;
    const socket = own[this.#turn % own.length];
    if (socket === undefined) throw new Error(`${local} is no address of this server`);
    const done = (error: Error | null): void => {
      if (error !== null) onFailure('code' in error ? String(error.code) : error.message);
    };
    let newest = 0;
    return {
      key: keyOf(peer),
      send: (bytes) => socket.send(bytes, peer.port, peer.address, done),
      sendBlocks: (source, blockSize, first, count) => {
        for (let block = first; block < first + count; block++) {
          const offset = (block - 1) * blockSize;
          const length = Math.min(blockSize, source.size - offset);
          const packet = this.#room(DATA_HEADER_BYTES + length);
          writeDataHeader(packet, 0, block);
          source.copy(offset, length, packet, DATA_HEADER_BYTES);
          // To be told of each costs a tenth of the sending. One that did not leave comes again, and then its reason is heard.
          socket.send(packet, peer.port, peer.address, block > newest ? undefined : done);
          newest = Math.max(newest, block);
          // Node keeps what the kernel did not take at once: the next one goes elsewhere.
          if (socket.getSendQueueCount() > 0) this.#packet = Buffer.alloc(0);
        }
      },
    };
  }

  /** The same memory for all that leave at once. */
  #room(length: number): Buffer {
    if (this.#packet.length !== length) this.#packet = Buffer.allocUnsafeSlow(length);
    return this.#packet;
  }

  close(): void {
    for (const own of this.#sockets.values()) for (const socket of own) socket.close();
  }
}
