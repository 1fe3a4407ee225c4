import { createSocket, type RemoteInfo, type Socket, type SocketOptions } from 'node:dgram';
import { decodeTftp, encodeTftp, type TftpOption, type TftpPacket } from '../../server/wire/tftp/packet.js';

const HOST = '127.0.0.1';

/** A UDP socket that speaks TFTP packets and hands them out one by one. */
export class TftpPeer {
  readonly #socket: Socket;
  readonly #host: string;
  readonly #arrived: { packet: TftpPacket; from: RemoteInfo }[] = [];
  #wake: (() => void) | undefined;

  private constructor(socket: Socket, host: string) {
    this.#socket = socket;
    this.#host = host;
    socket.on('message', (bytes, from) => {
      this.#arrived.push({ packet: decodeTftp(bytes), from });
      this.#wake?.();
    });
  }

  /** On `port`, or any free one; of `host` and towards it. */
  static async open(port = 0, host = HOST): Promise<TftpPeer> {
    const family = host.includes(':') ? 6 : 4;
    // Without a look-up, a packet is out when send() returns, so that nothing is lost when the socket is closed after it.
    const lookup: Required<SocketOptions>['lookup'] = (name, _options, done) => done(null, name, family);
    const socket = createSocket({ type: `udp${family}`, recvBufferSize: 1 << 20, lookup });
    await new Promise<void>((resolve) => socket.bind(port, host, resolve));
    return new TftpPeer(socket, host);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  send(packet: TftpPacket, port: number): void {
    this.#socket.send(encodeTftp(packet), port, this.#host);
  }

  sendRaw(bytes: Uint8Array, port: number): void {
    this.#socket.send(bytes, port, this.#host);
  }

  ask(name: string, port: number, options: Readonly<Record<string, number>> = {}, mode = 'octet'): void {
    this.send({ kind: 'rrq', name, mode, options: optionList(options) }, port);
  }

  /** The next packet; undefined when none comes within `patience` ms. */
  async next(patience = 2000): Promise<{ packet: TftpPacket; from: RemoteInfo } | undefined> {
    if (this.#arrived.length === 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, patience);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
    }
    return this.#arrived.shift();
  }

  /** Throws away what came. */
  forget(): void {
    this.#arrived.length = 0;
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }
}

export function optionList(options: Readonly<Record<string, number>>): TftpOption[] {
  return Object.entries(options).map(([name, value]) => ({ name, value: String(value) }));
}

export interface Fetched {
  readonly bytes: Buffer;
  /** Of the OACK. */
  readonly options: Readonly<Record<string, string>>;
  /** Packets of data that came, repeated ones included. */
  readonly packets: number;
}

/** Fetches a file as RFC 1350, 2347 and 7440 say, repeating itself after `patience` ms of silence. Rejects on an ERROR packet. */
export async function fetchTftp(
  port: number,
  name: string,
  options: Readonly<Record<string, number>> = {},
  { patience = 1000, mode = 'octet', host = HOST } = {},
): Promise<Fetched> {
  const peer = await TftpPeer.open(0, host);
  try {
    const blocks: Uint8Array[] = [];
    let answered: Record<string, string> = {};
    let server: number | undefined;
    let blockSize = 512;
    let windowSize = 1;
    let inWindow = 0;
    let packets = 0;
    let silence = 0;
    let repeat = (): void => peer.ask(name, port, options, mode);
    const acknowledge = (to: number): void => {
      inWindow = 0;
      repeat = () => peer.send({ kind: 'ack', block: blocks.length & 0xffff }, to);
      repeat();
    };
    repeat();
    for (;;) {
      const arrived = await peer.next(patience);
      if (arrived === undefined) {
        silence += 1;
        if (silence > 20) throw new Error(`${name}: silence after block ${blocks.length}`);
        repeat();
        continue;
      }
      silence = 0;
      const { packet, from } = arrived;
      if (server !== undefined && from.port !== server) continue;
      if (packet.kind === 'error') throw new Error(`error ${packet.code}: ${packet.message}`);
      if (packet.kind === 'oack') {
        if (blocks.length > 0) continue;
        server = from.port;
        answered = Object.fromEntries(packet.options.map((option) => [option.name, option.value]));
        blockSize = Number(answered.blksize ?? 512);
        windowSize = Number(answered.windowsize ?? 1);
        acknowledge(server);
      }
      if (packet.kind !== 'data') continue;
      server = from.port;
      packets += 1;
      const expected = (blocks.length + 1) & 0xffff;
      if (packet.block !== expected) {
        acknowledge(server);
        continue;
      }
      blocks.push(packet.data);
      inWindow += 1;
      const last = packet.data.length < blockSize;
      if (last || inWindow === windowSize) acknowledge(server);
      if (last) return { bytes: Buffer.concat(blocks), options: answered, packets };
    }
  } finally {
    await peer.close();
  }
}
