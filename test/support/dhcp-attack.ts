import { PacketGuard } from '../../server/dhcp/packet-guard.js';
import { createDhcpServer } from '../../server/dhcp/server.js';
import type { LinkEvents } from '../../server/dhcp/socket.js';
import { WireWatch } from '../../server/dhcp/wire-watch.js';
import type { Ipv4 } from '../../server/domain/ipv4.js';
import type { Machine } from '../../server/domain/machine.js';
import { LeaseBook } from '../../server/state/leases.js';
import { getOption } from '../../server/wire/dhcp/options.js';
import { type DhcpPacket, decodePacket, encodePacket } from '../../server/wire/dhcp/packet.js';
import { startCore, type TestCore } from './boot-core.js';
import { client, ip, type NamedOptions, request, utf8 } from './dhcp-packets.js';
import { identity, subnet } from './dhcp-site.js';

/** A MAC for each number, none of them a real machine's. */
export const invented = (index: number): string =>
  `02:00:${[24, 16, 8, 0].map((shift) => ((index >>> shift) & 255).toString(16).padStart(2, '0')).join(':')}`;

const RELAY = ip('10.77.0.254');
const bytesOf = (mac: string, options: NamedOptions, fields: Partial<Omit<DhcpPacket, 'options'>> = {}): Uint8Array =>
  encodePacket(request(mac, options, fields), 65_507);
const raw = (packet: Uint8Array, ...options: readonly (readonly number[])[]): Uint8Array =>
  Uint8Array.of(...packet.subarray(0, 240), ...options.flat());
const discover = (n: number, more: NamedOptions = {}, fields: Partial<Omit<DhcpPacket, 'options'>> = {}): Uint8Array =>
  bytesOf(invented(n), { messageType: 'discover', ...client.uefi, ...more }, fields);
/** A datagram of the largest size, filled with one-byte pieces of one option (RFC 3396). */
const pieces = (n: number, size: number): Uint8Array => {
  const whole = new Uint8Array(size);
  whole.set(discover(n).subarray(0, 240));
  whole.set([53, 1, 1], 240);
  for (let at = 243; at + 3 <= size; at += 3) whole.set([61, 1, 7], at);
  return whole;
};

/** `n` makes each packet another one; `taken` are addresses that others have. */
export const HOSTILE: Readonly<Record<string, (n: number, taken: readonly Ipv4[]) => Uint8Array>> = {
  'one packet again and again': () => discover(1),
  'one xid, ever new machines': (n) => discover(n),
  'ever new relays': (n) => discover(n, {}, { giaddr: (ip('10.128.0.0') + n) as Ipv4 }),
  'option 82 of 3,000 bytes': (n) =>
    discover(
      n,
      { relayAgent: new Map(Array.from({ length: 12 }, (_, i) => [i + 20, new Uint8Array(250)])) },
      { giaddr: RELAY },
    ),
  'option 82 with a broken sub-option': (n) =>
    raw(discover(n, {}, { giaddr: RELAY }), [53, 1, 1, 82, 4, 1, 200, 1, 1, 255]),
  'options cut short': (n) => discover(n).subarray(0, 240 + (n % 40)),
  'overload into overload': (n) => {
    const packet = raw(discover(n), [53, 1, 1, 52, 1, 3, 60, 9, ...utf8('PXEClient'), 255]);
    // `sname` and `file`: option 52 again, and pieces of option 60 without an end.
    for (const [at, end] of [
      [44, 108],
      [108, 236],
    ] as const) {
      packet.set([52, 1, 3], at);
      for (let i = at + 3; i + 3 <= end; i += 3) packet.set([60, 1, 65], i);
      packet.fill(0, end - ((end - at - 3) % 3), end);
    }
    return packet;
  },
  'other servers named': (n) =>
    bytesOf(invented(n), {
      messageType: 'request',
      serverId: (ip('10.200.0.0') + n) as Ipv4,
      requestedAddress: ip('10.77.0.150'),
    }),
  'addresses of others asked for': (n, taken) =>
    bytesOf(invented(n), {
      messageType: 'request',
      serverId: identity.address,
      requestedAddress: taken[n % taken.length] ?? RELAY,
    }),
  'addresses of others renewed': (n, taken) =>
    bytesOf(invented(n), { messageType: 'request' }, { ciaddr: taken[n % taken.length] ?? RELAY }),
  'addresses of others given back': (n, taken) =>
    bytesOf(
      invented(n),
      { messageType: 'release', serverId: identity.address },
      { ciaddr: taken[n % taken.length] ?? RELAY },
    ),
  'addresses of others declined': (n, taken) =>
    bytesOf(invented(n), {
      messageType: 'decline',
      serverId: identity.address,
      requestedAddress: taken[n % taken.length] ?? RELAY,
    }),
  'replies of a server': (n) => encodePacket({ ...request(invented(n), { messageType: 'offer' }), op: 'reply' }),
  '4,096 bytes in pieces of one': (n) => pieces(n, 4096),
  '65,507 bytes in pieces of one': (n) => pieces(n, 65_507),
  noise: (n) => Uint8Array.from({ length: 300 }, (_, i) => (Math.imul(n * 300 + i + 1, 2_654_435_761) >>> 24) & 255),
};

/** What a machine sends that has this address and boots again. */
export function honestPackets(mac: string, requestedAddress: Ipv4): readonly Uint8Array[] {
  return [
    bytesOf(mac, { messageType: 'discover', ...client.uefi }),
    bytesOf(mac, { messageType: 'request', serverId: identity.address, requestedAddress, ...client.uefi }),
  ];
}

export interface Attacked {
  readonly core: TestCore;
  readonly leases: LeaseBook;
  readonly packet: (bytes: Uint8Array) => void;
  /** One DISCOVER-OFFER-REQUEST-ACK; the address, or undefined when an answer is missing. */
  readonly exchange: (mac: string) => Promise<Ipv4 | undefined>;
  /** Until everything that came in has been answered and is on the disk. */
  readonly settled: () => Promise<void>;
  readonly counts: () => Readonly<Record<string, number>>;
  readonly close: () => Promise<void>;
}

/** The whole server but its sockets: guard, watch, decisions, leases and timeline over the real store. */
export async function startAttacked(machines: readonly Machine[], clock?: () => number): Promise<Attacked> {
  const core = await startCore({ machines, unknown: { kind: 'discover' } });
  const now = clock ?? (() => core.now);
  const net = subnet();
  const leases = new LeaseBook({
    leases: [],
    subnets: [net],
    excluded: [identity.address],
    reservedFor: (address) => core.state.machineByAddress(address),
    unaddressed: () => core.state.unaddressed,
    store: core.store,
  });
  const record = core.events.record.bind(core.events);
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  let events: LinkEvents | undefined;
  let heard: DhcpPacket | undefined;
  const link = {
    name: 'paper0',
    addresses: [identity.address],
    send: (bytes: Uint8Array): void => {
      heard = decodePacket(Uint8Array.from(bytes));
    },
    close: async (): Promise<void> => undefined,
  };
  const server = createDhcpServer({
    interfaces: [link.name],
    subnets: [net],
    identity,
    boot: core.boot,
    leases,
    clock: now,
    log,
    openLink: async (_name, given) => {
      events = given;
      return link;
    },
    watch: new WireWatch({ record, clock: now, log, openListener: () => ({ read: () => [], close: () => undefined }) }),
    guard: new PacketGuard({ record, clock: now }),
  });
  await server.start();
  const packet = (bytes: Uint8Array): void => events?.packet(bytes, link);
  const settled = async (): Promise<void> => {
    // Answers wait for the store, which answers in order.
    await core.store.setting('nothing');
    await core.events.flush();
  };
  return {
    core,
    leases,
    packet,
    settled,
    counts: () => ({ ...server.counts }),
    exchange: async (mac) => {
      heard = undefined;
      packet(bytesOf(mac, { messageType: 'discover', ...client.uefi }));
      const requestedAddress = heard === undefined ? undefined : (heard as DhcpPacket).yiaddr;
      if (requestedAddress === undefined) return undefined;
      heard = undefined;
      packet(bytesOf(mac, { messageType: 'request', serverId: identity.address, requestedAddress, ...client.uefi }));
      await settled();
      const ack = heard as DhcpPacket | undefined;
      return ack !== undefined && getOption(ack.options, 'messageType') === 'ack' ? ack.yiaddr : undefined;
    },
    close: async () => {
      await server.close();
      await core.close();
    },
  };
}
