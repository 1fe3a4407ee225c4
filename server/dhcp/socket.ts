import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import type { ReplyPath } from '../decide/reply-path.js';
import { unavailable } from '../domain/errors.js';
import { formatIpv4, type Ipv4, parseIpv4 } from '../domain/ipv4.js';
import type { Mac } from '../domain/mac.js';
import { encodeUdpFrame } from '../wire/udp-frame.js';
import { openArpProbe } from './arp-probe.js';
import { inheritedSocket } from './inherited-sockets.js';
import { openLinkSender, openUdpOnInterface, refuseSharing, sendUdp } from './native-sockets.js';

const SERVER_PORT = 67;
const CLIENT_PORT = 68;

/** One interface on which DHCP is spoken. ADR 2 says why it is made this way. */
export interface DhcpLink {
  readonly name: string;
  readonly addresses: readonly Ipv4[];
  /** Rejects when the kernel refuses the datagram. `from` is our address on this link. */
  send(bytes: Uint8Array, path: ReplyPath, from: Ipv4): Promise<void>;
  /** Who answers for an address on this wire, other than `asker`; absent: it cannot be asked. */
  ownerOf?(address: Ipv4, asker: Mac, milliseconds: number): Promise<Mac | undefined>;
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
  const arp = openArpProbe(name);
  const socket = createSocket({ type: 'udp4' });
  let fd = -1;
  let link: DhcpLink | undefined;
  socket.on('message', (bytes) => {
    if (link !== undefined) events.packet(bytes, link);
  });
  try {
    // Before bind: with a descriptor dgram says "listening" at once.
    const listening = once(socket, 'listening');
    fd = inheritedSocket(name, process.env, process.pid) ?? openUdpOnInterface(name, SERVER_PORT);
    socket.bind({ fd });
    await listening;
    refuseSharing(fd);
  } catch (error) {
    sender.close();
    arp.close();
    socket.close();
    throw error;
  }
  async function sendTo(bytes: Uint8Array, port: number, to: Ipv4): Promise<void> {
    // The number may belong to another file after close.
    if (fd < 0) throw unavailable(`the DHCP socket of ${name} is closed`);
    if (!sendUdp(fd, bytes, port, to)) await sendWaiting(socket, bytes, port, to);
  }

  const opened: DhcpLink = {
    name,
    addresses,
    async send(bytes, path, from) {
      switch (path.kind) {
        case 'relay':
          return sendTo(bytes, SERVER_PORT, path.to);
        case 'unicast':
          return sendTo(bytes, CLIENT_PORT, path.to);
        case 'broadcast':
          return sendTo(bytes, CLIENT_PORT, LIMITED_BROADCAST);
        case 'link':
          return sender.send(
            encodeUdpFrame({ from, fromPort: SERVER_PORT, to: path.to, toPort: CLIENT_PORT, payload: bytes }),
            path.mac,
          );
      }
    },
    ownerOf: (address, asker, milliseconds) => arp.ownerOf(address, asker, milliseconds),
    async close() {
      arp.close();
      fd = -1;
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

function sendWaiting(socket: Socket, bytes: Uint8Array, port: number, to: Ipv4): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(bytes, port, formatIpv4(to), (error) => (error === null ? resolve() : reject(error)));
  });
}

/** The IPv4 addresses of an interface. Throws `unavailable` when it has none. */
export function addressesOf(name: string): readonly Ipv4[] {
  const found = presentAddresses(name);
  if (found.length === 0) {
    throw unavailable(`the interface ${name} does not exist, is down, or has no IPv4 address`, {
      field: 'listen.interfaces',
      remedy: `give it one (ip address add ADDRESS/PREFIX dev ${name}; ip link set ${name} up) or name another interface`,
    });
  }
  return found;
}

/** The same, but an interface without one, or none of that name, has none. */
export function presentAddresses(name: string): readonly Ipv4[] {
  return (networkInterfaces()[name] ?? [])
    .filter((entry) => entry.family === 'IPv4')
    .map((entry) => parseIpv4(entry.address));
}
