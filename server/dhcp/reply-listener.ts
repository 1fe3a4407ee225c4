import { type Ipv4, ipv4FromOctets } from '../domain/ipv4.js';
import { openPacketListener } from './native-packets.js';

/** A reply that some DHCP server sent to a client. */
export interface HeardReply {
  readonly bytes: Uint8Array;
  /** Source of the IP packet. */
  readonly from: Ipv4;
}

/** Hears what other DHCP servers send to clients, and takes it from nobody. */
export interface ReplyListener {
  /** What came since the last call, 64 at most; never waits. */
  read(): readonly HeardReply[];
  close(): void;
}

export type OpenReplyListener = (name: string) => ReplyListener;

const READS_PER_CALL = 64;
const UDP_HEADER = 8;

/**
 * An AF_PACKET socket with a filter in the kernel: IPv4, UDP, from port 67 to port 68. It hears broadcasts and whatever else
 * reaches this interface; our own answers are outgoing and not among them. Throws `unavailable`. ADR 5 says why not UDP 68.
 */
export const openReplyListener: OpenReplyListener = (name) => {
  const socket = openPacketListener(name, DHCP_REPLIES);
  return {
    read() {
      const heard: HeardReply[] = [];
      while (heard.length < READS_PER_CALL) {
        const packet = socket.receive();
        if (packet === undefined) break;
        const header = ((packet[0] ?? 0) & 15) * 4;
        heard.push({ bytes: packet.subarray(header + UDP_HEADER), from: ipv4FromOctets(packet.subarray(12, 16)) });
      }
      return heard;
    },
    close: () => socket.close(),
  };
};

/**
 * Classic BPF, `[code, jump if true, jump if false, value]` from the IP header on (linux/filter.h); as `tcpdump -dd` prints
 * "udp src port 67 and dst port 68", without the Ethernet header.
 */
const DHCP_REPLIES: readonly (readonly [number, number, number, number])[] = [
  [0x30, 0, 0, 9], // load the protocol
  [0x15, 0, 8, 17], // UDP, else drop
  [0x28, 0, 0, 6], // load flags and fragment offset
  [0x45, 6, 0, 0x1fff], // a later fragment: drop
  [0xb1, 0, 0, 0], // X = length of the IP header
  [0x48, 0, 0, 0], // load the source port
  [0x15, 0, 3, 67],
  [0x48, 0, 0, 2], // load the destination port
  [0x15, 0, 1, 68],
  [0x06, 0, 0, 0xffff], // take it whole
  [0x06, 0, 0, 0], // drop
];
