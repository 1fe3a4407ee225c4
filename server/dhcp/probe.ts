import { networkInterfaces } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { unavailable } from '../domain/errors.js';
import { formatIpv4, type Ipv4, parseIpv4, UNSPECIFIED } from '../domain/ipv4.js';
import { type Mac, macToBytes, parseMac } from '../domain/mac.js';
import { getOption, setOption } from '../wire/dhcp/options.js';
import { type DhcpPacket, decodePacket, encodePacket } from '../wire/dhcp/packet.js';
import { encodeUdpFrame } from '../wire/udp-frame.js';
import { WireError } from '../wire/wire-error.js';
import { openLinkSender } from './native-sockets.js';
import { type HeardReply, openReplyListener } from './reply-listener.js';

/** A DHCP server that answered. */
export interface ProbedServer {
  /** How it names itself (option 54), else where its packet came from. */
  readonly server: Ipv4;
  readonly from: Ipv4;
  /** Absent: a proxy, which gives no addresses. */
  readonly offered?: Ipv4;
}

/** Several servers look with ICMP whether the address is free before they offer it; dnsmasq takes 3 s for that. */
const PROBE_SECONDS = 4;
const POLL_MS = 100;
const ETHERNET_BROADCAST = parseMac('ff:ff:ff:ff:ff:ff');
const LIMITED_BROADCAST = parseIpv4('255.255.255.255');
/** Option 55: what every client asks for; some servers do not answer without it. */
const ASK_FOR = [1, 3, 6, 15, 51, 54];

/**
 * Sends one DISCOVER with the interface's own MAC and collects who offers. It never asks for the address, so a server keeps
 * nothing but an offer that runs out. Our own server does not hear it: it leaves by a packet socket. Needs CAP_NET_RAW. Throws
 * `unavailable`.
 */
export async function probeDhcpServers(name: string, seconds = PROBE_SECONDS): Promise<readonly ProbedServer[]> {
  const mac = macOf(name);
  const xid = (Date.now() & 0x7fffffff) >>> 0;
  const listener = openReplyListener(name);
  try {
    const sender = openLinkSender(name);
    try {
      const payload = encodePacket(discoverOf(mac, xid));
      sender.send(
        encodeUdpFrame({ from: UNSPECIFIED, fromPort: 68, to: LIMITED_BROADCAST, toPort: 67, payload }),
        ETHERNET_BROADCAST,
      );
    } finally {
      sender.close();
    }
    const found = new Map<Ipv4, ProbedServer>();
    const end = Date.now() + seconds * 1000;
    while (Date.now() < end) {
      await delay(POLL_MS);
      for (const heard of listener.read()) {
        const server = serverOf(heard, mac, xid);
        if (server !== undefined) found.set(server.server, server);
      }
    }
    return [...found.values()];
  } finally {
    listener.close();
  }
}

/** The server behind a reply to this probe; undefined = somebody else's reply, or a broken one. */
function serverOf({ bytes, from }: HeardReply, mac: Mac, xid: number): ProbedServer | undefined {
  try {
    const packet = decodePacket(bytes);
    const its = packet.chaddr.subarray(0, 6);
    if (packet.op !== 'reply' || packet.xid !== xid || macToBytes(mac).some((byte, i) => byte !== its[i]))
      return undefined;
    const server = getOption(packet.options, 'serverId') ?? from;
    return { server, from, ...(packet.yiaddr === UNSPECIFIED ? {} : { offered: packet.yiaddr }) };
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}

function discoverOf(mac: Mac, xid: number): DhcpPacket {
  const options = new Map<number, Uint8Array>();
  setOption(options, 'messageType', 'discover');
  setOption(options, 'requestList', ASK_FOR);
  const chaddr = new Uint8Array(16);
  chaddr.set(macToBytes(mac));
  return {
    op: 'request',
    htype: 1,
    hlen: 6,
    hops: 0,
    xid,
    secs: 0,
    flags: { broadcast: true, reserved: 0 },
    ciaddr: UNSPECIFIED,
    yiaddr: UNSPECIFIED,
    siaddr: UNSPECIFIED,
    giaddr: UNSPECIFIED,
    chaddr,
    sname: '',
    file: '',
    options,
  };
}

function macOf(name: string): Mac {
  const mac = networkInterfaces()[name]?.[0]?.mac;
  if (mac !== undefined) return parseMac(mac);
  throw unavailable(`the interface ${name} does not exist, is down, or has no address`, {
    remedy: 'correct listen.interfaces',
  });
}

/** `10.0.0.2 (offers 10.0.0.77)`: for reports. */
export function describeServer({ server, from, offered }: ProbedServer): string {
  const via = from === server ? '' : ` via ${formatIpv4(from)}`;
  return `${formatIpv4(server)}${via} (${offered === undefined ? 'boot information only' : `offers ${formatIpv4(offered)}`})`;
}
