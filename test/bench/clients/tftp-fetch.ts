import { createSocket } from 'node:dgram';

export interface TftpFetch {
  readonly server: string;
  readonly port: number;
  readonly file: string;
  readonly blksize: number;
  /** Blocks for one ACK (RFC 7440); default 1. */
  readonly window?: number;
  /** The machine's own address; default any. */
  readonly local?: string;
}

const TRIES = 8;
const PATIENCE_MS = 1000;

/** One file, counted and thrown away. Resolves to its bytes; rejects with the reason. */
export async function fetchTftp({ server, port, file, blksize, window = 1, local }: TftpFetch): Promise<number> {
  const lookup = (host: string, _options: unknown, done: (error: null, address: string, family: number) => void) =>
    done(null, host, 4);
  const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20, lookup });
  let total = 0;
  let wanted = 1;
  const windowOption = window > 1 ? `windowsize\0${window}\0` : '';
  let last: Buffer = Buffer.from(`\0\x01${file}\0octet\0blksize\0${blksize}\0${windowOption}`, 'latin1');
  let inWindow = 0;
  let asked = 0;
  let size = 512;
  let peer = port;
  let tries = 0;
  try {
    await new Promise<void>((resolve, reject) => {
      const again = (): void => {
        tries += 1;
        if (tries > TRIES) reject(new Error(`${file}: no answer after ${total} bytes`));
        else send(last);
      };
      const timer = setTimeout(again, PATIENCE_MS);
      const send = (packet: Buffer): void => {
        last = packet;
        timer.refresh();
        socket.send(packet, peer, server);
      };
      const done = (error?: Error): void => {
        clearTimeout(timer);
        if (error === undefined) resolve();
        else reject(error);
      };
      socket.once('error', done);
      socket.on('message', (packet, from) => {
        const opcode = packet.readUInt16BE(0);
        if (opcode === 5) {
          done(new Error(`${file}: ${packet.toString('utf8', 4, packet.length - 1)}`));
          return;
        }
        if (opcode === 6) {
          peer = from.port;
          size = blksize;
          send(Buffer.from([0, 4, 0, 0]));
          return;
        }
        if (opcode !== 3) return;
        if (packet.readUInt16BE(2) !== wanted) {
          // A gap in a window: once, so that the server begins again there.
          if (window > 1 && asked !== wanted) {
            asked = wanted;
            inWindow = 0;
            send(Buffer.from([0, 4, ((wanted - 1) >> 8) & 255, (wanted - 1) & 255]));
          }
          // Once more, as its ACK got lost.
          else if (window === 1 && packet.readUInt16BE(2) === ((wanted - 1) & 0xffff)) send(last);
          return;
        }
        peer = from.port;
        tries = 0;
        total += packet.length - 4;
        const ended = packet.length - 4 < size;
        inWindow += 1;
        if (ended || inWindow === window) {
          inWindow = 0;
          send(Buffer.from([0, 4, wanted >> 8, wanted & 255]));
        }
        wanted = (wanted + 1) & 0xffff;
        if (ended) done();
      });
      socket.bind(0, local, () => send(last));
    });
  } finally {
    socket.close();
  }
  return total;
}
