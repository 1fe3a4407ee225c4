import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { DhcpServer } from '../../server/dhcp/contract.js';
import { createDhcpServer } from '../../server/dhcp/server.js';
import type { LinkEvents } from '../../server/dhcp/socket.js';
import { formatIpv4, type Ipv4, parseRange } from '../../server/domain/ipv4.js';
import type { Lease } from '../../server/domain/lease.js';
import { parseMac } from '../../server/domain/mac.js';
import { LeaseBook, type LeaseStore } from '../../server/state/leases.js';
import { getOption } from '../../server/wire/dhcp/options.js';
import { type DhcpPacket, decodePacket, encodePacket } from '../../server/wire/dhcp/packet.js';
import { ip, type NamedOptions, request } from '../support/dhcp-packets.js';
import { identity, SiteBoot, subnet } from '../support/dhcp-site.js';

/*
 * One machine, one address: packets in any order, answers of the disk late or never, the process killed at any moment, the
 * configuration read again in between. What was promised by an ACK holds until its time is over.
 */

const MACS = ['52:54:00:00:00:0a', '52:54:00:00:00:0b', '52:54:00:00:00:0c', '52:54:00:00:00:0d'];
const RESERVED = ip('10.77.0.101');
const POOLS = [[parseRange('10.77.0.100-10.77.0.102')], [parseRange('10.77.0.101-10.77.0.104')]];

/** A disk that writes in order and tells of it when the test says so. */
class SlowDisk implements LeaseStore {
  readonly rows = new Map<Ipv4, Lease>();
  #waiting: { readonly write: () => 'ok' | 'conflict'; readonly tell: (outcome: 'ok' | 'conflict' | Error) => void }[] =
    [];

  claimLease(lease: Lease, expected: Lease | undefined): Promise<'ok' | 'conflict'> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        write: () => {
          if (JSON.stringify(this.rows.get(lease.address)) !== JSON.stringify(expected)) return 'conflict';
          this.rows.set(lease.address, lease);
          return 'ok';
        },
        tell: (outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome)),
      });
    });
  }

  async lease(address: Ipv4): Promise<Lease | undefined> {
    return this.rows.get(address);
  }

  answer(count: number): void {
    for (const { write, tell } of this.#waiting.splice(0, count)) tell(write());
  }

  refuse(): void {
    this.#waiting.shift()?.tell(new Error('the disk is full'));
  }

  /** Power fails: the first `count` are written, and nobody is told anything. */
  cut(count: number): void {
    for (const { write } of this.#waiting.splice(0).slice(0, count)) write();
  }
}

interface Promised {
  readonly mac: string;
  /** Epoch seconds. */
  readonly until: number;
}

class World {
  now = 1_000_000;
  readonly disk = new SlowDisk();
  readonly promised = new Map<Ipv4, Promised>();
  /** The last address that each was offered. */
  readonly offered = new Map<string, Ipv4>();
  /** When each packet was sent: a client counts its lease from there (RFC 2131, section 4.4.1). The index is the xid. */
  readonly #sentAt: number[] = [];
  /** The xid by which a machine gave up an address: an answer to what it sent before comes too late. */
  readonly #left = new Map<string, number>();
  acks = 0;
  /** What went wrong first. */
  broken: string | undefined;
  readonly #boot = new SiteBoot();
  #net = subnet({ pools: POOLS[0] ?? [] });
  #leases!: LeaseBook;
  #server!: DhcpServer;
  #packet: ((bytes: Uint8Array) => void) | undefined;
  #generation = 0;

  /** After a kill the old process answers nothing any more. */
  async start(): Promise<void> {
    const mine = ++this.#generation;
    let events: LinkEvents | undefined;
    const link = {
      name: 'paper0',
      addresses: [identity.address],
      send: (bytes: Uint8Array): void => {
        if (mine === this.#generation) this.#heard(decodePacket(Uint8Array.from(bytes)));
      },
      close: async (): Promise<void> => undefined,
    };
    this.#leases = new LeaseBook({
      leases: this.disk.rows.values(),
      subnets: [this.#net],
      excluded: [identity.address],
      reservedFor: (address) => this.#boot.machines.find((machine) => machine.address === address),
      store: this.disk,
    });
    this.#server = createDhcpServer({
      interfaces: [link.name],
      subnets: [this.#net],
      identity,
      boot: this.#boot,
      leases: this.#leases,
      clock: () => this.now * 1000,
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
      openLink: async (_name, given) => {
        events = given;
        return link;
      },
    });
    await this.#server.start();
    this.#packet = (bytes) => events?.packet(bytes, link);
    for (const [address, { mac, until }] of this.promised) {
      const lease = this.#leases.leaseAt(address);
      if (until > this.now && lease?.mac !== mac) this.#fail(`${formatIpv4(address)} of ${mac} is forgotten`);
    }
  }

  send(mac: string, options: NamedOptions, fields: Partial<Omit<DhcpPacket, 'options'>> = {}): void {
    const type = options.messageType;
    const address = fields.ciaddr ?? options.requestedAddress;
    const isOwn = address !== undefined && this.promised.get(address)?.mac === mac;
    // Whoever sends these does not use the address from that moment on, whatever becomes of the packet.
    const xid = this.#sentAt.push(this.now) - 1;
    if (type === 'release' || type === 'decline') {
      if (isOwn) this.promised.delete(address);
      this.#left.set(`${mac} ${address}`, xid);
    }
    this.#packet?.(encodePacket(request(mac, options, { ...fields, xid })));
  }

  async configure(which: number): Promise<void> {
    this.#net = subnet({ pools: POOLS[which] ?? [] });
    await this.#server.configure({ subnets: [this.#net], mode: 'full' }, () => this.#leases.configure([this.#net]));
  }

  /** The machine with this number has a reserved address from now on, and no other. */
  reserve(who: number): void {
    const mac = MACS[who];
    this.#boot.machines =
      mac === undefined ? [] : [{ name: `node${who}`, macs: [parseMac(mac)], address: RESERVED, labels: {} }];
  }

  #heard(answer: DhcpPacket): void {
    const type = getOption(answer.options, 'messageType');
    const mac = Array.from(answer.chaddr.subarray(0, 6), (byte) => byte.toString(16).padStart(2, '0')).join(':');
    if (type === 'offer') this.offered.set(mac, answer.yiaddr);
    if (type !== 'ack') return;
    this.acks++;
    const until = (this.#sentAt[answer.xid] ?? 0) + (getOption(answer.options, 'leaseTime') ?? 0);
    const before = this.promised.get(answer.yiaddr);
    // One that comes so late that its time is over, or behind a later one, promises nothing.
    const left = this.#left.get(`${mac} ${answer.yiaddr}`) ?? -1;
    if (until <= this.now || answer.xid < left || (before?.mac === mac && before.until > until)) return;
    if (before !== undefined && before.mac !== mac && before.until > this.now) {
      this.#fail(`${formatIpv4(answer.yiaddr)} is promised to ${before.mac} and to ${mac}`);
    }
    if (this.disk.rows.get(answer.yiaddr)?.mac !== mac) this.#fail(`${mac} was told before it was on the disk`);
    this.promised.set(answer.yiaddr, { mac, until });
  }

  #fail(what: string): void {
    this.broken ??= what;
  }
}

const address = fc.integer({ min: 99, max: 105 }).map((host) => ip(`10.77.0.${host}`));
const who = fc.nat({ max: MACS.length - 1 });
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ what: fc.constant('discover' as const), who }) },
  {
    weight: 12,
    arbitrary: fc.record({ what: fc.constantFrom('select', 'remember', 'renew', 'release', 'decline'), who, address }),
  },
  { weight: 10, arbitrary: fc.record({ what: fc.constant('take' as const), who }) },
  { weight: 12, arbitrary: fc.record({ what: fc.constant('disk' as const), count: fc.integer({ min: 1, max: 4 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({ what: fc.constant('wait' as const), seconds: fc.constantFrom(1, 61, 1800, 3600) }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('refuse' as const) }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('kill' as const), count: fc.nat({ max: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('configure' as const), which: fc.nat({ max: 1 }) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('reserve' as const), who: fc.nat({ max: MACS.length }) }) },
);

async function run(world: World, one: typeof step extends fc.Arbitrary<infer S> ? S : never): Promise<void> {
  switch (one.what) {
    case 'discover':
      return world.send(MACS[one.who] ?? '', { messageType: 'discover' });
    case 'take': {
      const mac = MACS[one.who] ?? '';
      const requestedAddress = world.offered.get(mac);
      if (requestedAddress === undefined) return;
      return world.send(mac, { messageType: 'request', serverId: identity.address, requestedAddress });
    }
    case 'select': {
      const chosen = { serverId: identity.address, requestedAddress: one.address };
      return world.send(MACS[one.who] ?? '', { messageType: 'request', ...chosen });
    }
    case 'remember':
      return world.send(MACS[one.who] ?? '', { messageType: 'request', requestedAddress: one.address });
    case 'renew':
      return world.send(MACS[one.who] ?? '', { messageType: 'request' }, { ciaddr: one.address });
    case 'release':
      return world.send(
        MACS[one.who] ?? '',
        { messageType: 'release', serverId: identity.address },
        { ciaddr: one.address },
      );
    case 'decline': {
      const declined = { serverId: identity.address, requestedAddress: one.address };
      return world.send(MACS[one.who] ?? '', { messageType: 'decline', ...declined });
    }
    case 'disk':
      return world.disk.answer(one.count);
    case 'refuse':
      return world.disk.refuse();
    case 'wait':
      world.now += one.seconds;
      return;
    case 'kill':
      world.disk.cut(one.count);
      return await world.start();
    case 'configure':
      return await world.configure(one.which);
    case 'reserve':
      return world.reserve(one.who);
  }
}

test('property: never two machines on one address, whatever is sent, written late, refused or cut off', async () => {
  let acks = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 120 }), async (steps) => {
      const world = new World();
      await world.start();
      for (const one of steps) {
        await run(world, one);
        await new Promise(setImmediate);
        if (world.broken !== undefined) expect.fail(world.broken);
      }
      acks += world.acks;
    }),
    { numRuns: Number(process.env.PROPERTY_RUNS ?? 400) },
  );
  // The steps do lead to leases: a world without promises keeps them all.
  expect(acks).toBeGreaterThan(500);
});
