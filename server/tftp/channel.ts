import { createSocket, type RemoteInfo } from 'node:dgram';
import type { Peer } from './messages.js';

/** How the packets of transfers travel. Sockets of our own now; a faster way on Linux can take their place. */
export interface Channel {
  /** The parts make one datagram. `onFailure` is called when the operating system refuses it. */
  send(parts: readonly Uint8Array[], peer: Peer, onFailure: (reason: string) => void): void;
  close(): void;
}

/**
 * A UDP port for one transfer: its number is the transfer identifier of our side (RFC 1350, section 4). Rejects when no port or
 * descriptor is left.
 */
export function openChannel(address: string, receive: (bytes: Uint8Array, from: RemoteInfo) => void): Promise<Channel> {
  return new Promise((resolve, reject) => {
    // Addresses need no look-up; Node's own would cost a turn of the event loop for each datagram.
    const socket = createSocket({ type: 'udp4', lookup: (host, _options, done) => done(null, host, 4) });
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind({ address, port: 0, exclusive: true }, () => {
      socket.removeAllListeners('error');
      // What a socket reports later (an ICMP answer, say) is about one datagram, and the timer makes up for that.
      socket.on('error', () => undefined);
      socket.on('message', receive);
      resolve({
        send(parts, peer, onFailure) {
          socket.send(parts, peer.port, peer.address, (error) => {
            if (error !== null) onFailure('code' in error ? String(error.code) : error.message);
          });
        },
        close: () => socket.close(),
      });
    });
  });
}
