import { networkInterfaces } from 'node:os';
import { getSystemErrorName } from 'node:util';
import koffi from 'koffi';
import { unavailable } from '../domain/errors.js';
import type { Ipv4 } from '../domain/ipv4.js';
import { type Mac, macToBytes, parseMac } from '../domain/mac.js';
import { c } from '../native/libc.js';
import { arpSender, encodeArpProbe } from '../wire/arp.js';

/** Asks the wire of one interface whether somebody has an address. */
export interface ArpProbe {
  /**
   * Who answers for the address within `milliseconds`, other than `asker`; undefined = nobody. Never waits for another probe.
   * Rejects with `unavailable` when the question cannot be sent.
   */
  ownerOf(address: Ipv4, asker: Mac, milliseconds: number): Promise<Mac | undefined>;
  close(): void;
}

// Numbers of Linux (x86-64 and arm64 agree on all of them).
const AF_PACKET = 17;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const ETHERTYPE_ARP = 0x0806;
/** Nothing is waiting; the interface is down. */
const NOTHING = [11, 100];
const BROADCAST_MAC = 'ff:ff:ff:ff:ff:ff' as Mac;
/** The socket is read this often while a probe waits: Node cannot wait for a packet socket. */
const POLL_MS = 10;

/** Hears nothing until the first question. Needs CAP_NET_RAW. Throws `unavailable`. */
export function openArpProbe(name: string): ArpProbe {
  const own = parseMac(networkInterfaces()[name]?.[0]?.mac ?? '00:00:00:00:00:00');
  const index = c().if_nametoindex(name);
  let fd = c().socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) throw failure('open a packet socket');
  let listening = false;
  let timer: NodeJS.Timeout | undefined;
  const waiting = new Set<{ readonly address: Ipv4; readonly asker: Mac; readonly found: (mac: Mac) => void }>();
  const buffer = Buffer.alloc(256);

  /** struct sockaddr_ll: family, protocol (big-endian), interface, ARP type, packet type, address length, address. */
  function linkAddress(mac: Mac): Uint8Array {
    const address = Buffer.alloc(20);
    address.writeUInt16LE(AF_PACKET, 0);
    address.writeUInt16BE(ETHERTYPE_ARP, 2);
    address.writeInt32LE(index, 4);
    address.writeUInt8(6, 11);
    address.set(macToBytes(mac), 12);
    return address;
  }

  function failure(doing: string): Error {
    return unavailable(`cannot ${doing} on ${name}: ${getSystemErrorName(-koffi.errno())}`);
  }

  function read(): void {
    while (fd >= 0) {
      const length = c().recv(fd, buffer, buffer.length, 0);
      if (length < 0) {
        if (!NOTHING.includes(koffi.errno())) stop();
        return;
      }
      const sender = arpSender(buffer.subarray(0, length));
      if (sender === undefined || sender.mac === own) continue;
      for (const probe of waiting) {
        if (probe.address === sender.address && probe.asker !== sender.mac) probe.found(sender.mac);
      }
    }
  }

  function stop(): void {
    clearInterval(timer);
    timer = undefined;
  }

  return {
    async ownerOf(address, asker, milliseconds) {
      const to = linkAddress(BROADCAST_MAC);
      if (fd < 0) return undefined;
      if (!listening && c().bind(fd, to, to.length) < 0) throw failure('listen for ARP');
      listening = true;
      // What came since the last probe is old news.
      if (waiting.size === 0) read();
      const question = encodeArpProbe(own, address);
      if (c().sendto(fd, question, question.length, 0, to, to.length) < 0) throw failure('send an ARP probe');
      timer ??= setInterval(read, POLL_MS);
      return await new Promise((resolve) => {
        const done = (owner: Mac | undefined): void => {
          clearTimeout(limit);
          waiting.delete(probe);
          if (waiting.size === 0) stop();
          resolve(owner);
        };
        const probe = { address, asker, found: done };
        const limit = setTimeout(() => done(undefined), milliseconds);
        waiting.add(probe);
      });
    },
    close() {
      stop();
      if (fd >= 0) c().close(fd);
      fd = -1;
    },
  };
}
