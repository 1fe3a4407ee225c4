import { getSystemErrorName } from 'node:util';
import koffi from 'koffi';
import { unavailable } from '../domain/errors.js';
import { formatIpv4, type Ipv4 } from '../domain/ipv4.js';
import { c } from '../native/libc.js';
import { encodeSocketAddress } from '../native/socket-address.js';
import { echoReply, encodeEchoRequest } from '../wire/icmp.js';

/** Asks whether an address behind a router is in use: ARP does not get there. */
export interface IcmpProbe {
  /** Whether somebody answers within `milliseconds`. Rejects with `unavailable` when the question cannot be sent. */
  answers(address: Ipv4, milliseconds: number): Promise<boolean>;
  close(): void;
}

// Numbers of Linux (x86-64 and arm64 agree on all of them).
const AF_INET = 2;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const IPPROTO_ICMP = 1;
const SOL_RAW = 255;
const ICMP_FILTER = 1;
/** One bit for each type of message that is not heard. */
const HEAR_NOTHING = 0xffffffff;
const HEAR_REPLIES = 0xfffffffe;
/** Nobody can be there: no route, or a router says so. */
const NOBODY = ['ENETUNREACH', 'EHOSTUNREACH'];
/** The socket is read this often while a probe waits: Node cannot wait for a raw socket. */
const POLL_MS = 10;

/** Hears nothing until the first question. Needs CAP_NET_RAW. Throws `unavailable`. */
export function openIcmpProbe(): IcmpProbe {
  let fd = c().socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP);
  if (fd < 0) throw unavailable(`cannot open an ICMP socket: ${getSystemErrorName(-koffi.errno())}`);
  hear(HEAR_NOTHING);
  const id = process.pid & 0xffff;
  let sequence = 0;
  let timer: NodeJS.Timeout | undefined;
  const waiting = new Set<{ readonly address: Ipv4; readonly sequence: number; readonly found: () => void }>();
  const buffer = Buffer.alloc(256);

  function hear(mask: number): void {
    const filter = Buffer.alloc(4);
    filter.writeUInt32LE(mask);
    c().setsockopt(fd, SOL_RAW, ICMP_FILTER, filter, filter.length);
  }

  function read(): void {
    while (fd >= 0) {
      const length = c().recv(fd, buffer, buffer.length, 0);
      // Nothing more is waiting; what is wrong for good shows when the next question is sent.
      if (length < 0) return;
      const reply = echoReply(buffer.subarray(0, length));
      if (reply === undefined || reply.id !== id) continue;
      for (const probe of waiting) {
        if (probe.address === reply.from && probe.sequence === reply.sequence) probe.found();
      }
    }
  }

  return {
    async answers(address, milliseconds) {
      if (fd < 0) return false;
      if (waiting.size === 0) hear(HEAR_REPLIES);
      sequence = (sequence + 1) & 0xffff;
      const question = encodeEchoRequest(id, sequence);
      const to = encodeSocketAddress(formatIpv4(address), 0, () => 0);
      if (c().sendto(fd, question, question.length, 0, to, to.length) < 0) {
        const reason = getSystemErrorName(-koffi.errno());
        if (NOBODY.includes(reason)) return false;
        throw unavailable(`cannot ask ${formatIpv4(address)} by ICMP: ${reason}`);
      }
      timer ??= setInterval(read, POLL_MS);
      return await new Promise((resolve) => {
        const done = (found: boolean): void => {
          clearTimeout(limit);
          waiting.delete(probe);
          if (waiting.size === 0) stop();
          resolve(found);
        };
        const probe = { address, sequence, found: () => done(true) };
        const limit = setTimeout(() => done(false), milliseconds);
        waiting.add(probe);
      });
    },
    close() {
      stop();
      if (fd >= 0) c().close(fd);
      fd = -1;
    },
  };

  function stop(): void {
    clearInterval(timer);
    timer = undefined;
    if (fd >= 0) hear(HEAR_NOTHING);
  }
}
