import { getSystemErrorName } from 'node:util';
import koffi from 'koffi';
import { unavailable } from '../domain/errors.js';
import { c } from '../native/libc.js';

// Numbers of Linux (x86-64 and arm64 agree on all of them).
const AF_PACKET = 17;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const ETHERTYPE_IPV4 = 0x0800;
/** Nothing is waiting; the interface went down (said once, it may come back). */
const NOTHING = [11, 100];
const LARGEST = 4096;

/** One instruction of classic BPF: code, jump if true, jump if false, value. */
export type BpfInstruction = readonly [code: number, whenTrue: number, whenFalse: number, value: number];

export interface PacketListener {
  /** The next IPv4 packet from its header on; undefined = none is waiting. Throws `unavailable`. */
  receive(): Uint8Array | undefined;
  close(): void;
}

/**
 * Incoming IPv4 packets of one interface that pass the filter, as copies: whoever they are meant for gets them too. Packets that
 * this computer sends are not among them. Needs CAP_NET_RAW. Throws `unavailable`.
 */
export function openPacketListener(name: string, filter: readonly BpfInstruction[]): PacketListener {
  const index = c().if_nametoindex(name);
  if (index === 0) throw unavailable(`there is no interface ${name}`, { remedy: 'correct listen.interfaces' });
  // Protocol 0 hears nothing: the filter is in place before the first packet.
  const fd = check(
    c().socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
    `open a packet socket on ${name}`,
  );
  try {
    const program = Buffer.alloc(filter.length * 8);
    filter.forEach(([code, whenTrue, whenFalse, value], at) => {
      program.writeUInt16LE(code, at * 8);
      program.writeUInt8(whenTrue, at * 8 + 2);
      program.writeUInt8(whenFalse, at * 8 + 3);
      program.writeUInt32LE(value, at * 8 + 4);
    });
    check(
      c().attach(fd, SOL_SOCKET, SO_ATTACH_FILTER, { length: filter.length, filter: program }, 16),
      'set a packet filter',
    );
    // struct sockaddr_ll: family, protocol (big-endian), interface index, and 12 bytes that do not matter here.
    const address = Buffer.alloc(20);
    address.writeUInt16LE(AF_PACKET, 0);
    address.writeUInt16BE(ETHERTYPE_IPV4, 2);
    address.writeInt32LE(index, 4);
    check(c().bind(fd, address, address.length), `listen on ${name}`);
  } catch (error) {
    c().close(fd);
    throw error;
  }
  const buffer = Buffer.alloc(LARGEST);
  return {
    receive() {
      const length = c().recv(fd, buffer, buffer.length, 0);
      if (length >= 0) return Uint8Array.from(buffer.subarray(0, length));
      if (NOTHING.includes(koffi.errno())) return undefined;
      throw unavailable(`cannot receive on ${name}: ${getSystemErrorName(-koffi.errno())}`);
    },
    close() {
      c().close(fd);
    },
  };
}

function check(result: number, doing: string): number {
  if (result >= 0) return result;
  const name = getSystemErrorName(-koffi.errno());
  throw unavailable(
    `cannot ${doing}: ${name}`,
    name === 'EPERM' ? { remedy: 'run as root, or give the process CAP_NET_RAW' } : {},
  );
}
