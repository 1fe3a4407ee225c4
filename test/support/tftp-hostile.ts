import { fetchTftp, TftpPeer } from './tftp-client.js';
import { seededBytes, seededRandom } from './tftp-random.js';
import type { TftpRig } from './tftp-rig.js';

export interface HostileResult {
  /** Files that honest clients fetched meanwhile, each compared byte for byte. */
  readonly served: number;
  /** Of theirs, ended in silence and begun anew, as a machine does: on a busy computer all of this process stands still at times. */
  readonly again: number;
  /** Resident memory of the process, bytes, at each tenth of the time. */
  readonly memory: readonly number[];
}

const ATTACKERS = 24;
const FILE_BYTES = 60_000;

/**
 * Everything that somebody may send, for so many milliseconds and from one seed: rubbish and half packets to the port of requests and
 * to that of transfers, requests that nobody answers, with options that make no sense, ACKs and ERRORs into transfers of others, and
 * readers that fall silent in the middle. Honest clients fetch files all the while; the first that gets a wrong byte, or an ERROR, throws.
 */
export async function hostileHours(rig: TftpRig, milliseconds: number, seed: number): Promise<HostileResult> {
  const bytes = seededBytes(seed, FILE_BYTES);
  await rig.put('honest', bytes);
  const random = seededRandom(seed);
  const until = performance.now() + milliseconds;
  const attackers = await Promise.all(Array.from({ length: ATTACKERS }, () => TftpPeer.open()));
  const memory: number[] = [];
  let transferPort = rig.server.port;
  let served = 0;
  let again = 0;

  const honest = async (options: Readonly<Record<string, number>>): Promise<void> => {
    while (performance.now() < until) {
      const fetched = await fetchTftp(rig.server.port, 'honest', options, { patience: 200 }).catch((error: unknown) => {
        if (error instanceof Error && error.message.includes('silence after block')) return undefined;
        throw error;
      });
      if (fetched === undefined) {
        again += 1;
        continue;
      }
      if (!fetched.bytes.equals(bytes)) throw new Error('an honest client got other bytes');
      served += 1;
    }
  };

  const attack = async (): Promise<void> => {
    let round = 0;
    while (performance.now() < until) {
      for (const peer of attackers) strike(peer);
      round += 1;
      // Somebody takes his first block and learns the port of transfers.
      const learner = attackers[round % attackers.length];
      learner?.ask('honest', rig.server.port, round % 2 === 0 ? {} : { blksize: 1024, windowsize: 8 });
      for (let arrived = await learner?.next(20); arrived !== undefined; arrived = await learner?.next(5)) {
        if (arrived.packet.kind === 'data' || arrived.packet.kind === 'oack') transferPort = arrived.from.port;
      }
      for (const peer of attackers) peer.forget();
      if (memory.length < ((milliseconds - (until - performance.now())) / milliseconds) * 10) {
        memory.push(process.memoryUsage().rss);
      }
    }
  };

  const strike = (peer: TftpPeer): void => {
    const port = random(2) === 0 ? rig.server.port : transferPort;
    switch (random(8)) {
      case 0:
        peer.sendRaw(seededBytes(random(1_000_000), random(600)), port);
        break;
      case 1: {
        const request = Buffer.from('\0\x01honest\0octet\0blksize\x001468\0windowsize\x0016\0tsize\x000\0');
        peer.sendRaw(request.subarray(0, random(request.length)), port);
        break;
      }
      case 2:
        peer.ask('honest', rig.server.port, {
          blksize: random(70_000),
          windowsize: random(70_000),
          timeout: 256 + random(300),
        });
        break;
      case 3:
        peer.ask(`../${random(1000)}`, rig.server.port, { tsize: random(10) });
        break;
      case 4:
        peer.send({ kind: 'ack', block: random(65_536) }, port);
        break;
      case 5:
        peer.send({ kind: 'error', code: random(9), message: 'no' }, port);
        break;
      case 6:
        peer.send({ kind: 'data', block: random(65_536), data: seededBytes(1, random(1000)) }, port);
        break;
      default:
        peer.sendRaw(Buffer.alloc(random(5000)), port);
    }
  };

  try {
    await Promise.all([
      attack(),
      honest({}),
      honest({ blksize: 1428 }),
      honest({ blksize: 1428, windowsize: 16, tsize: 0 }),
    ]);
    return { served, again, memory };
  } finally {
    for (const peer of attackers) await peer.close();
  }
}
