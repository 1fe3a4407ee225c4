import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { getSystemErrorName } from 'node:util';
import koffi from 'koffi';
import type { Arena } from '../native/arena.js';
import { c } from '../native/libc.js';
import { AF_INET6, decodeSocketAddress, encodeSocketAddress } from '../native/socket-address.js';
import { ListenError } from './listen-error.js';

// Numbers of Linux (x86-64 and arm64 agree on all of them).
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
/** The answers of thousands of clients at once. */
const RECEIVE_BUFFER = 8 << 20;
const SEND_BUFFER = 4 << 20;
/** What cannot be found out is taken for Ethernet. */
const USUAL_MTU = 1500;

/** Where an interface's packets may be cut into segments by the kernel. */
export interface Link {
  readonly address: string;
  readonly fd: number;
  readonly port: number;
  /** Of the interface, bytes. */
  readonly mtu: number;
  /** Bytes of IP and UDP header. */
  readonly headers: number;
  /** UDP GSO works as far as is known. */
  segments: boolean;
}

/** A UDP socket on one address of ours, for many datagrams in one call. Throws ListenError when the port cannot be had. */
export function openLink(arena: Arena, address: string, port: number): Link {
  const name = encodeSocketAddress(address, port, (zone) => c().if_nametoindex(zone));
  const six = name[0] === AF_INET6;
  const fd = check(c().socket(name[0] ?? 0, SOCK_DGRAM | SOCK_CLOEXEC, 0), 'open a UDP socket', address);
  try {
    if (six) check(setInt(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1), 'keep to IPv6', address);
    for (const [force, plain, bytes] of [
      [SO_RCVBUFFORCE, SO_RCVBUF, RECEIVE_BUFFER],
      [SO_SNDBUFFORCE, SO_SNDBUF, SEND_BUFFER],
    ] as const) {
      // More than net.core.rmem_max needs CAP_NET_ADMIN; without it the kernel gives what is allowed.
      if (setInt(fd, SOL_SOCKET, force, bytes) < 0)
        check(setInt(fd, SOL_SOCKET, plain, bytes), 'set a buffer', address);
    }
    if (c().bind(fd, name, name.length) < 0) {
      const code = getSystemErrorName(-koffi.errno());
      throw new ListenError(`cannot listen on ${address}:${port}: ${code}`, code, address);
    }
    return { address, fd, port: portOf(arena, fd), mtu: mtuOf(address), headers: six ? 48 : 28, segments: true };
  } catch (error) {
    c().close(fd);
    throw error;
  }
}

function portOf(arena: Arena, fd: number): number {
  const at = arena.take(32);
  const length = arena.take(4);
  arena.view.setUint32(length, 32, true);
  check(c().getsockname(fd, arena.addressOf(at), arena.addressOf(length)), 'read the name of a socket', '');
  return decodeSocketAddress(arena.bytes.subarray(at, at + 28))?.port ?? 0;
}

function mtuOf(address: string): number {
  const [host] = address.split('%');
  const found = Object.entries(networkInterfaces()).find(([, infos]) => infos?.some((info) => info.address === host));
  if (found === undefined) return USUAL_MTU;
  try {
    return Number(readFileSync(`/sys/class/net/${found[0]}/mtu`, 'utf8')) || USUAL_MTU;
  } catch (error) {
    // No sysfs, as in some containers.
    if (error instanceof Error && 'code' in error) return USUAL_MTU;
    throw error;
  }
}

function setInt(fd: number, level: number, name: number, value: number): number {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return c().setsockopt(fd, level, name, bytes, bytes.length);
}

function check(result: number, doing: string, address: string): number {
  if (result >= 0) return result;
  throw new Error(`cannot ${doing} on ${address}: ${getSystemErrorName(-koffi.errno())}`);
}
