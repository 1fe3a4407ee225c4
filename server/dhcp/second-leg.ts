import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { formatIpv4, type Ipv4, parseIpv4 } from '../domain/ipv4.js';
import { openUdpOnInterface, refuseSharing } from './native-sockets.js';
import { addressesOf } from './socket.js';

/** PXE 2.1, section 2.2.2: where a ROM asks the boot server once it has its address. */
const SECOND_LEG_PORT = 4011;

/** UDP 4011 of one interface. Unlike on port 67 the client has an address, so an ordinary answer to where it came from will do. */
export interface SecondLegLink {
  readonly name: string;
  readonly addresses: readonly Ipv4[];
  /** ROMs send from port 68 (iPXE) or 4011 (EDK2); the answer goes back to that port. */
  send(bytes: Uint8Array, to: SecondLegPeer): Promise<void>;
  close(): Promise<void>;
}

export interface SecondLegPeer {
  readonly address: Ipv4;
  readonly port: number;
}

export interface SecondLegEvents {
  readonly packet: (bytes: Uint8Array, from: SecondLegPeer, link: SecondLegLink) => void;
  readonly error: (error: Error) => void;
}

export type OpenSecondLeg = (name: string, events: SecondLegEvents) => Promise<SecondLegLink>;

/** Throws `unavailable`, as for port 67. */
export const openSecondLeg: OpenSecondLeg = async (name, events) => {
  const addresses = addressesOf(name);
  const socket = createSocket({ type: 'udp4' });
  let link: SecondLegLink | undefined;
  socket.on('message', (bytes, { address, port }) => {
    if (link !== undefined) events.packet(bytes, { address: parseIpv4(address), port }, link);
  });
  try {
    const listening = once(socket, 'listening');
    const fd = openUdpOnInterface(name, SECOND_LEG_PORT);
    socket.bind({ fd });
    await listening;
    refuseSharing(fd);
  } catch (error) {
    socket.close();
    throw error;
  }
  socket.on('error', events.error);
  link = {
    name,
    addresses,
    send: (bytes, to) =>
      new Promise((resolve, reject) => {
        socket.send(bytes, to.port, formatIpv4(to.address), (error) => (error === null ? resolve() : reject(error)));
      }),
    async close() {
      const closed = once(socket, 'close');
      socket.close();
      await closed;
    },
  };
  return link;
};
