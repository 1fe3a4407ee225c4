import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';

/** Linux gives at most net.core.rmem_max (`sysctl`), by default 208 KiB. A boot storm comes in one burst. */
const RECEIVE_BUFFER = 4 << 20;

/** A bound UDP socket for one address of ours. Rejects with the system's error. */
export function openUdp(address: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const family = isIPv6(address) ? 6 : 4;
    const socket = createSocket({
      type: family === 6 ? 'udp6' : 'udp4',
      ipv6Only: family === 6,
      // Addresses need no look-up; Node's own would cost a turn of the event loop for each datagram.
      lookup: (host, _options, done) => done(null, host, family),
    });
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind({ address, port, exclusive: true }, () => {
      socket.removeAllListeners('error');
      // What a socket reports later (an ICMP answer, say) is about one datagram, and timers make up for that.
      socket.on('error', () => undefined);
      socket.setRecvBufferSize(RECEIVE_BUFFER);
      resolve(socket);
    });
  });
}
