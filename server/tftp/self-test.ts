import { decodeTftp, encodeTftp } from '../wire/tftp/packet.js';
import { memorySource } from './block-source.js';
import { FastWire } from './fast-wire.js';

const BLOCK = 1400;
const BLOCKS = 8;
const PATIENCE = 1000;

/**
 * Sends a window of blocks over loopback and an ACK back, and compares every byte: a computer whose structures are laid out in
 * another way, or a kernel that forbids the calls, must be found out before a machine gets wrong bytes. Answers whether the kernel
 * cuts large messages into segments. Throws with the reason when the calls cannot be used.
 */
export function selfTest(host: string, wake: number): { readonly segments: boolean } {
  const server = new FastWire([host], 0, wake);
  try {
    const client = new FastWire([host], 0, wake);
    try {
      return exchange(host, server, client);
    } finally {
      client.close();
    }
  } finally {
    server.close();
  }
}

function exchange(host: string, server: FastWire, client: FastWire): { readonly segments: boolean } {
  const file = Uint8Array.from({ length: BLOCK * BLOCKS - 7 }, (_, at) => at * 31 + (at >> 8));
  let refusal = '';
  const toClient = server.route({ address: host, port: client.port }, host, (reason) => {
    refusal = reason;
  });
  toClient.sendBlocks(memorySource(file), BLOCK, 1, BLOCKS);
  server.flush();
  const arrived = new Set<number>();
  collect(client, BLOCKS, (bytes, port) => {
    const packet = decodeTftp(bytes);
    const from = packet.kind === 'data' ? (packet.block - 1) * BLOCK : -1;
    const right =
      packet.kind === 'data' &&
      port === server.port &&
      Buffer.compare(packet.data, file.subarray(from, from + BLOCK)) === 0;
    if (!right) throw new Error('a block that was sent over loopback came out different');
    arrived.add(from);
  });
  if (arrived.size !== BLOCKS)
    throw new Error(`of ${BLOCKS} blocks sent over loopback ${arrived.size} came through ${refusal}`.trim());

  client.route({ address: host, port: server.port }, host, () => undefined).send(encodeTftp({ kind: 'ack', block: 8 }));
  client.flush();
  let key: unknown;
  collect(server, 1, (_bytes, _port, from) => {
    key = from;
  });
  if (key !== toClient.key) throw new Error('the sender of a packet over loopback was not recognised');
  return { segments: server.links.every(({ segments }) => segments) && toClient.segments };
}

/** Until `count` datagrams came or it takes too long. */
function collect(wire: FastWire, count: number, take: (bytes: Uint8Array, port: number, key: unknown) => void): void {
  const until = performance.now() + PATIENCE;
  let seen = 0;
  while (seen < count && performance.now() < until) {
    wire.wait(50);
    wire.receive(
      (key, bytes, peer) => {
        seen += 1;
        take(bytes, peer().port, key);
      },
      () => false,
    );
  }
}
