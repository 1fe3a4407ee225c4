import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import type { ReplyPath } from '../decide/reply-path.js';
import { unavailable } from '../domain/errors.js';
import { formatIpv4, type Ipv4, parseIpv4 } from '../domain/ipv4.js';
import { type Mac, parseMac } from '../domain/mac.js';
import { encodeNoRouter } from '../wire/router-advertisement.js';
import { encodeUdpFrame } from '../wire/udp-frame.js';
import { WireError } from '../wire/wire-error.js';
import { openArpProbe } from './arp-probe.js';
import { Datagrams, type SendFailed } from './datagrams.js';
import { datagramsWork } from './datagrams-self-test.js';
import { openIcmpProbe } from './icmp-probe.js';
import { inheritedSocket } from './inherited-sockets.js';
import { openLinkSender, openUdpOnInterface, refuseSharing } from './native-sockets.js';
import { Pace } from './pace.js';

const SERVER_PORT = 67;
const CLIENT_PORT = 68;

/** One interface on which DHCP is spoken. ADR 2 says why it is made this way. */
export interface DhcpLink {
  readonly name: string;
  readonly addresses: readonly Ipv4[];
  /**
   * The datagram leaves before the event loop has turned, together with others; `bytes` are copied. `from` is our address on this link; `failed` is
   * told when the kernel refuses it.
   */
  send(bytes: Uint8Array, path: ReplyPath, from: Ipv4, failed: SendFailed): void;
  /** Whether somebody answers at an address behind a router; absent: it cannot be asked. */
  answersPing?(address: Ipv4, milliseconds: number): Promise<boolean>;
  /** Who answers for an address on this wire, other than `asker`; absent: it cannot be asked. */
  ownerOf?(address: Ipv4, asker: Mac, milliseconds: number): Promise<Mac | undefined>;
  /** Tells a machine on this wire that there is no IPv6 router; absent or without effect: it cannot be told. */
  tellNoRouter?(to: Mac): void;
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
  const ownMac = networkInterfaces()[name]?.find(({ family }) => family === 'IPv4')?.mac;
  const sender = openLinkSender(name);
  const arp = openArpProbe(name);
  const icmp = openIcmpProbe();
  const socket = createSocket({ type: 'udp4' });
  let fd = -1;
  let link: DhcpLink | undefined;
  let datagrams: Datagrams | undefined;
  let leaving: NodeJS.Immediate | undefined;
  let taking: NodeJS.Immediate | undefined;
  let first: Uint8Array[] = [];
  const pace = new Pace();
  /** dgram tells that something has come and gives the first one; the rest of what waits is taken with it, in one call. */
  socket.on('message', (bytes) => {
    if (datagrams === undefined) {
      if (link !== undefined) events.packet(bytes, link);
      return;
    }
    // A plain view, as those that are taken by the system call: code that sees two kinds of arrays is slower for both.
    first.push(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
    taking ??= setImmediate(takeAll);
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
    icmp.close();
    socket.close();
    throw error;
  }
  if (datagramsWork()) datagrams = new Datagrams(fd, sendWaiting, { thread: true });

  function takeAll(): void {
    taking = undefined;
    if (link === undefined) return;
    const its = link;
    leave();
    pace.wait();
    const told = first;
    first = [];
    for (const bytes of told) events.packet(bytes, its);
    if (datagrams?.receive((bytes) => events.packet(bytes, its)) === false) {
      events.error(new WireError('datagram', 'is larger than any DHCP message'), its);
    }
    leave();
  }

  function sendTo(bytes: Uint8Array, port: number, to: Ipv4, failed: SendFailed): void {
    // The number may belong to another file after close.
    if (fd < 0) failed(unavailable(`the DHCP socket of ${name} is closed`));
    else if (datagrams === undefined) sendWaiting(bytes, port, to, failed);
    else {
      datagrams.queue(bytes, port, to, failed);
      leaving ??= setImmediate(leave);
    }
  }

  function leave(): void {
    if (leaving === undefined) return;
    clearImmediate(leaving);
    leaving = undefined;
    datagrams?.flush();
  }

  function sendWaiting(bytes: Uint8Array, port: number, to: Ipv4, failed: SendFailed): void {
    // A copy: dgram reads it later.
    socket.send(Uint8Array.from(bytes), port, formatIpv4(to), (error) => {
      if (error !== null) failed(error);
    });
  }

  const opened: DhcpLink = {
    name,
    addresses,
    send(bytes, path, from, failed) {
      switch (path.kind) {
        case 'relay':
          return sendTo(bytes, SERVER_PORT, path.to, failed);
        case 'unicast':
          return sendTo(bytes, CLIENT_PORT, path.to, failed);
        case 'broadcast':
          return sendTo(bytes, CLIENT_PORT, LIMITED_BROADCAST, failed);
        case 'link':
          try {
            const payload = { from, fromPort: SERVER_PORT, to: path.to, toPort: CLIENT_PORT, payload: bytes };
            sender.send(encodeUdpFrame(payload), path.mac);
          } catch (error) {
            failed(error instanceof Error ? error : new Error(String(error)));
          }
      }
    },
    answersPing: (address, milliseconds) => icmp.answers(address, milliseconds),
    tellNoRouter(to) {
      if (ownMac !== undefined && fd >= 0) sender.send(encodeNoRouter(parseMac(ownMac), to), to);
    },
    ownerOf: (address, asker, milliseconds) => arp.ownerOf(address, asker, milliseconds),
    async close() {
      arp.close();
      icmp.close();
      clearImmediate(taking);
      clearImmediate(leaving);
      // First, so that nothing is handed to what is being closed.
      const last = datagrams;
      datagrams = undefined;
      fd = -1;
      await last?.close();
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
