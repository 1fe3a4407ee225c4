import { getSystemErrorName } from 'node:util';
import koffi from 'koffi';
import { unavailable } from '../domain/errors.js';
import { type Mac, macToBytes } from '../domain/mac.js';
import { c } from '../native/libc.js';
import { isHarmless, portInUse } from './port-sharing.js';

// Numbers of Linux (x86-64 and arm64 agree on all of them).
const AF_INET = 2;
const AF_PACKET = 17;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_BROADCAST = 6;
const SO_RCVBUF = 8;
const SO_BINDTODEVICE = 25;
const SO_RCVBUFFORCE = 33;
const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
/**
 * Room for a few thousand requests: a rack that is switched on asks all at once. More than net.core.rmem_max needs CAP_NET_ADMIN;
 * without it the kernel gives what is allowed.
 */
const RECEIVE_BUFFER = 8 * 1024 * 1024;

/**
 * A UDP socket on 0.0.0.0:`port` that hears and sends on one interface only (SO_BINDTODEVICE): dgram alone cannot tell which
 * interface a broadcast came from. Give the fd to `dgram.Socket.bind({ fd })`, which then owns it. Throws `unavailable`, also when
 * another process has the port there: two servers that share it would both answer, and nobody would know.
 */
export function openUdpOnInterface(name: string, port: number): number {
  const fd = check(c().socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), 'open a UDP socket');
  try {
    setInt(fd, SO_BROADCAST, 1);
    if (!trySetInt(fd, SO_RCVBUFFORCE, RECEIVE_BUFFER)) setInt(fd, SO_RCVBUF, RECEIVE_BUFFER);
    const device = Buffer.from(`${name}\0`, 'latin1');
    check(c().setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, device.length), `bind a socket to ${name}`, {
      EPERM: 'run as root, or give the process CAP_NET_RAW',
      ENODEV: 'correct listen.interfaces',
    });
    const address = Buffer.alloc(16);
    address.writeUInt16LE(AF_INET, 0);
    address.writeUInt16BE(port, 2);
    const bound = c().bind(fd, address, address.length);
    if (bound < 0 && getSystemErrorName(-koffi.errno()) === 'EADDRINUSE') {
      if (!isHarmless(name, port)) throw portInUse(name, port);
      setInt(fd, SO_REUSEADDR, 1);
      if (c().bind(fd, address, address.length) < 0) throw portInUse(name, port);
      return fd;
    }
    check(bound, `listen on UDP ${port} of ${name}`, {
      EACCES: 'run as root, or give the process CAP_NET_BIND_SERVICE',
    });
    return fd;
  } catch (error) {
    c().close(fd);
    throw error;
  }
}

/** From now on nobody else can share the port: dgram allows it when it takes a socket over. */
export function refuseSharing(fd: number): void {
  setInt(fd, SO_REUSEADDR, 0);
}

/** Sends IP packets to a MAC address, whether or not the kernel knows a way to their IP address. */
export interface LinkSender {
  /** Throws `unavailable` with the system's reason. */
  send(packet: Uint8Array, to: Mac): void;
  close(): void;
}

/** An AF_PACKET socket that only sends (protocol 0 hears nothing). Needs CAP_NET_RAW. Throws `unavailable`. */
export function openLinkSender(name: string): LinkSender {
  const index = c().if_nametoindex(name);
  if (index === 0) throw unavailable(`there is no interface ${name}`, { remedy: 'correct listen.interfaces' });
  const fd = check(c().socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0), `open a packet socket on ${name}`, {
    EPERM: 'run as root, or give the process CAP_NET_RAW',
  });
  return {
    send(packet, to) {
      // struct sockaddr_ll: family, protocol (big-endian), interface index, ARP type, packet type, address length, address.
      const address = Buffer.alloc(20);
      address.writeUInt16LE(AF_PACKET, 0);
      address.writeUInt16BE((packet[0] ?? 0) >> 4 === 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4, 2);
      address.writeInt32LE(index, 4);
      address.writeUInt8(6, 11);
      address.set(macToBytes(to), 12);
      check(c().sendto(fd, packet, packet.length, 0, address, address.length), `send to ${to} on ${name}`);
    },
    close() {
      c().close(fd);
    },
  };
}

function setInt(fd: number, name: number, value: number): void {
  check(trySetInt(fd, name, value) ? 0 : -1, `set socket option ${name}`);
}

function trySetInt(fd: number, name: number, value: number): boolean {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return c().setsockopt(fd, SOL_SOCKET, name, bytes, bytes.length) >= 0;
}

function check(result: number, doing: string, remedies: Readonly<Record<string, string>> = {}): number {
  if (result >= 0) return result;
  const name = getSystemErrorName(-koffi.errno());
  const remedy = remedies[name];
  throw unavailable(`cannot ${doing}: ${name}`, remedy === undefined ? {} : { remedy });
}
