import { parseIpv4 } from '../domain/ipv4.js';
import { Arena } from '../native/arena.js';
import { c } from '../native/libc.js';
import { decodeSocketAddress, encodeSocketAddress } from '../native/socket-address.js';
import { Datagrams } from './datagrams.js';

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const LOOPBACK = '127.0.0.1';

let works: boolean | undefined;

/**
 * Whether this computer's kernel and C library understand the structures of Datagrams: two datagrams of different lengths are
 * sent to ourselves and come back as they were. Asked once; without it DHCP goes through dgram.
 */
export function datagramsWork(): boolean {
  works ??= tryOut();
  return works;
}

function tryOut(): boolean {
  const fds: number[] = [];
  try {
    const socket = (): number => {
      const fd = c().socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      if (fd >= 0) fds.push(fd);
      return fd;
    };
    const receiver = socket();
    const any = encodeSocketAddress(LOOPBACK, 0, () => 0);
    const port = c().bind(receiver, any, any.length) === 0 ? portOf(receiver) : undefined;
    if (port === undefined) return false;
    const sent = [Uint8Array.of(1, 2, 3), new Uint8Array(700).fill(7)];
    const refuse = (): void => undefined;
    const out = new Datagrams(socket(), refuse);
    for (const bytes of sent) out.queue(bytes, port, parseIpv4(LOOPBACK), refuse);
    out.flush();
    const heard: Uint8Array[] = [];
    new Datagrams(receiver, refuse).receive((bytes) => heard.push(bytes));
    return (
      heard.length === sent.length &&
      heard.every((bytes, index) => Buffer.compare(bytes, sent[index] ?? bytes.subarray(1)) === 0)
    );
  } catch {
    // No C library, 32 bits, another byte order: not an error, dgram serves there.
    return false;
  } finally {
    for (const fd of fds) c().close(fd);
  }
}

/** The port that a socket is bound to. */
export function portOf(fd: number): number | undefined {
  const arena = new Arena(1 << 16);
  const at = arena.take(32);
  const length = arena.take(4);
  arena.view.setUint32(length, 32, true);
  if (c().getsockname(fd, arena.addressOf(at), arena.addressOf(length)) !== 0) return undefined;
  return decodeSocketAddress(arena.bytes.slice(at, at + 28))?.port;
}
