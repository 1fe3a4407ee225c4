import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import type { ReplyPath } from '../decide/reply-path.js';
import { unavailable } from '../domain/errors.js';
import { formatIpv4, type Ipv4, parseIpv4 } from '../domain/ipv4.js';
import { encodeUdpFrame } from '../wire/udp-frame.js';
import { openLinkSender, openUdpOnInterface } from './native-sockets.js';

export const SERVER_PORT = 67;
export const CLIENT_PORT = 68;

/** One interface on which DHCP is spoken. ADR 2 says why it is made this way. */
export interface DhcpLink {
  readonly name: string;
  readonly addresses: readonly Ipv4[];
  /** Rejects when the kernel refuses the datagram. `from` is our address on this link. */
  send(bytes: Uint8Array, path: ReplyPath, from: Ipv4): Promise<void>;
  close(): Promise<void>;
}

export interface LinkEvents {
  /** One datagram that came to UDP 67 on this link; the bytes are the receiver's to keep. */
  readonly packet: (bytes: Uint8Array, link: DhcpLink) => void;
  readonly error: (error: Error, link: DhcpLink) => void;
}

export type OpenDhcpLink = (name: string, events: LinkEvents) => Promise<DhcpLink>;

/** Opens UDP 67 on one interface. Throws `unavailable`: no such interface, no address on it, no right to the port, port in use. */
export const openDhcpLink: OpenDhcpLink = async (name, events) => {
  const addresses = addressesOf(name);
  const sender = openLinkSender(name);
  const socket = createSocket({ type: 'udp4' });
  let link: DhcpLink | undefined;
  socket.on('message', (bytes) => {
    if (link !== undefined) events.packet(bytes, link);
  });
  try {
    // Before bind: with a descriptor dgram says "listening" at once.
    const listening = once(socket, 'listening');
    socket.bind({ fd: openUdpOnInterface(name, SERVER_PORT) });
    await listening;
  } catch (error) {
    sender.close();
    socket.close();
    throw error;
  }
  const opened: DhcpLink = {
    name,
    addresses,
    async send(bytes, path, from) {
      switch (path.kind) {
        case 'relay':
          return sendTo(socket, bytes, SERVER_PORT, path.to);
        case 'unicast':
          return sendTo(socket, bytes, CLIENT_PORT, path.to);
        case 'broadcast':
          return sendTo(socket, bytes, CLIENT_PORT, LIMITED_BROADCAST);
        case 'link':
          return sender.send(
            encodeUdpFrame({ from, fromPort: SERVER_PORT, to: path.to, toPort: CLIENT_PORT, payload: bytes }),
            path.mac,
          );
      }
    },
    async close() {
      sender.close();
      const closed = once(socket, 'close');
      socket.close();
      await closed;
    },
  };
  link = opened;
  socket.on('error', (error) => events.error(error, opened));
  return opened;
};

const LIMITED_BROADCAST = parseIpv4('255.255.255.255');

function sendTo(socket: Socket, bytes: Uint8Array, port: number, to: Ipv4): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(bytes, port, formatIpv4(to), (error) => (error === null ? resolve() : reject(error)));
  });
}

function addressesOf(name: string): readonly Ipv4[] {
  const found = (networkInterfaces()[name] ?? [])
    .filter((entry) => entry.family === 'IPv4')
    .map((entry) => parseIpv4(entry.address));
  if (found.length === 0) {
    throw unavailable(`the interface ${name} does not exist, is down, or has no IPv4 address`, {
      field: 'listen.interfaces',
      remedy: `give it one (ip address add ADDRESS/PREFIX dev ${name}; ip link set ${name} up) or name another interface`,
    });
  }
  return found;
}
