import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { seededRandom } from './tftp-random.js';

export interface Line {
  /** Chance of each datagram, 0 to 1. */
  readonly lost: number;
  readonly doubled: number;
  /** Comes up to 5 ms later, so that others overtake it. */
  readonly late: number;
  readonly seed: number;
}

export interface LossyRelay {
  readonly port: number;
  /** Datagrams taken in, both directions. */
  readonly seen: number;
  close(): Promise<void>;
}

const HOST = '127.0.0.1';

/**
 * A bad line in front of a TFTP server on loopback. Each port that the server answers from gets a port of its own on the client's
 * side too, so both ends still see different transfer identifiers.
 */
export async function lossyRelay(serverPort: number, line: Line): Promise<LossyRelay> {
  const random = seededRandom(line.seed);
  const happens = (chance: number): boolean => random(1_000_000) < chance * 1_000_000;
  const sockets: Socket[] = [];
  const timers = new Set<NodeJS.Timeout>();
  let seen = 0;
  let open = true;

  const send = (from: Socket, bytes: Buffer, port: number): void => {
    seen += 1;
    const copies = happens(line.lost) ? 0 : happens(line.doubled) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (!happens(line.late)) from.send(bytes, port, HOST);
      else {
        const timer = setTimeout(() => {
          timers.delete(timer);
          if (open) from.send(bytes, port, HOST);
        }, random(5));
        timers.add(timer);
      }
    }
  };
  const newSocket = async (receive: (bytes: Buffer, from: RemoteInfo) => void): Promise<Socket> => {
    const socket = createSocket('udp4');
    sockets.push(socket);
    await new Promise<void>((resolve) => socket.bind(0, HOST, resolve));
    socket.on('message', receive);
    return socket;
  };

  /** The client's face of one client, and behind it a face for each port that the server answers from. */
  const towardsServer = async (clientPort: number): Promise<Socket> => {
    const faces = new Map<number, Promise<Socket>>();
    const out = await newSocket(async (bytes, { port: transferPort }) => {
      let face = faces.get(transferPort);
      if (face === undefined) {
        face = newSocket((answer) => send(out, answer, transferPort));
        faces.set(transferPort, face);
      }
      send(await face, bytes, clientPort);
    });
    return out;
  };
  const pending = new Map<number, Promise<Socket>>();
  const front = await newSocket(async (bytes, { port }) => {
    let waiting = pending.get(port);
    if (waiting === undefined) {
      waiting = towardsServer(port);
      pending.set(port, waiting);
    }
    const out = await waiting;
    send(out, bytes, serverPort);
  });

  return {
    port: front.address().port,
    get seen() {
      return seen;
    },
    async close() {
      open = false;
      for (const timer of timers) clearTimeout(timer);
      await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))));
    },
  };
}
