import { createSocket, type Socket } from 'node:dgram';
import {
  addressNumber,
  type DhcpClientKind,
  type DhcpReplyWords,
  type DhcpRequestWords,
  dhcpReply,
  dhcpRequest,
} from './dhcp-words.js';

const DISCOVER = 1;
const REQUEST = 3;
const NAK = 6;

interface Waiting {
  readonly resolve: (reply: DhcpReplyWords) => void;
  readonly timer: NodeJS.Timeout;
}

/** A relay with an address of its own (port 67), behind which any number of machines speak DHCP. */
export class Relay {
  readonly #socket: Socket;
  readonly #server: string;
  readonly #giaddr: number;
  readonly #waiting = new Map<number, Waiting>();
  #lastXid = Math.floor(Math.random() * 0x40000000);
  resent = 0;

  private constructor(socket: Socket, address: string, server: string) {
    this.#socket = socket;
    this.#server = server;
    this.#giaddr = addressNumber(address);
    socket.on('message', (packet) => {
      const reply = dhcpReply(packet);
      const waiting = reply === undefined ? undefined : this.#waiting.get(reply.xid);
      if (reply !== undefined) waiting?.resolve(reply);
    });
  }

  static async open(address: string, server: string): Promise<Relay> {
    // Of an address: no name is looked up.
    const lookup = (host: string, _options: unknown, done: (error: null, address: string, family: number) => void) =>
      done(null, host, 4);
    const socket = createSocket({ type: 'udp4', recvBufferSize: 8 << 20, lookup });
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(67, address, resolve);
    });
    return new Relay(socket, address, server);
  }

  close(): void {
    this.#socket.close();
  }

  /**
   * DISCOVER, OFFER, REQUEST, ACK. Repeats each after 1, 2, 4 and 8 s; undefined = no answer, or a NAK.
   * `offerMs`, `ackMs`: how long the server took.
   */
  async lease(
    mac: Uint8Array,
    kind: DhcpClientKind,
  ): Promise<{ readonly ack: DhcpReplyWords; readonly offerMs: number; readonly ackMs: number } | undefined> {
    const begun = performance.now();
    const offer = await this.#ask({ type: DISCOVER, kind, mac });
    if (offer === undefined) return undefined;
    const offered = performance.now();
    const ack = await this.#ask({
      type: REQUEST,
      kind,
      mac,
      requested: offer.address,
      serverId: offer.serverId,
    });
    if (ack === undefined || ack.type === NAK) return undefined;
    return { ack, offerMs: offered - begun, ackMs: performance.now() - offered };
  }

  async #ask(words: Omit<DhcpRequestWords, 'xid' | 'giaddr'>): Promise<DhcpReplyWords | undefined> {
    this.#lastXid = (this.#lastXid + 1) & 0x7fffffff;
    const xid = this.#lastXid;
    const packet = dhcpRequest({ ...words, xid, giaddr: this.#giaddr });
    for (const patience of [1000, 2000, 4000, 8000]) {
      if (patience > 1000) this.resent += 1;
      const reply = await new Promise<DhcpReplyWords | undefined>((resolve) => {
        const timer = setTimeout(() => resolve(undefined), patience);
        this.#waiting.set(xid, { resolve, timer });
        this.#socket.send(packet, 67, this.#server);
      });
      clearTimeout(this.#waiting.get(xid)?.timer);
      this.#waiting.delete(xid);
      if (reply !== undefined) return reply;
    }
    return undefined;
  }
}
