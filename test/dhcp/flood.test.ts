import { expect, test } from 'vitest';
import { createDhcpServer } from '../../server/dhcp/server.js';
import type { LinkEvents } from '../../server/dhcp/socket.js';
import type { Ipv4 } from '../../server/domain/ipv4.js';
import { parseMac } from '../../server/domain/mac.js';
import type { Machine } from '../../server/domain/machine.js';
import { LeaseBook } from '../../server/state/leases.js';
import { getOption } from '../../server/wire/dhcp/options.js';
import { type DhcpPacket, decodePacket, encodePacket } from '../../server/wire/dhcp/packet.js';
import { client, request } from '../support/dhcp-packets.js';
import { MemoryLeases } from '../support/dhcp-rules.js';
import { identity, SiteBoot, subnet } from '../support/dhcp-site.js';

const FLOOD = 100_000;

/** A MAC for each number, none of them a real machine's below. */
const invented = (index: number): string =>
  `02:00:${[24, 16, 8, 0].map((shift) => ((index >>> shift) & 255).toString(16).padStart(2, '0')).join(':')}`;

interface Flooded {
  readonly boot: SiteBoot;
  /** Throws the answers away. */
  readonly flood: (packet: DhcpPacket) => void;
  /** The last answer. */
  readonly ask: (packet: DhcpPacket) => Promise<DhcpPacket | undefined>;
  readonly seconds: { now: number };
  readonly close: () => Promise<void>;
}

async function flooded(machines: readonly Machine[] = []): Promise<Flooded> {
  const net = subnet();
  const seconds = { now: 1_000_000 };
  const leases = new LeaseBook({
    leases: [],
    subnets: [net],
    excluded: [identity.address],
    reservedFor: () => undefined,
    unaddressed: () => machines.length,
    store: new MemoryLeases(),
  });
  let events: LinkEvents | undefined;
  const answers: DhcpPacket[] = [];
  const link = {
    name: 'paper0',
    addresses: [identity.address],
    send: async (bytes: Uint8Array): Promise<void> => void answers.push(decodePacket(Uint8Array.from(bytes))),
    close: async (): Promise<void> => undefined,
  };
  const boot = new SiteBoot(machines);
  const server = createDhcpServer({
    interfaces: ['paper0'],
    subnets: [net],
    identity,
    boot,
    leases,
    clock: () => seconds.now * 1000,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    openLink: async (_name, given) => {
      events = given;
      return link;
    },
  });
  await server.start();
  return {
    boot,
    seconds,
    flood: (packet) => {
      events?.packet(encodePacket(packet), link);
      boot.steps.length = 0;
    },
    ask: async (packet) => {
      answers.length = 0;
      events?.packet(encodePacket(packet), link);
      await expect.poll(() => server.counts.replied + server.counts.ignored === server.counts.received).toBe(true);
      return answers.at(-1);
    },
    close: () => server.close(),
  };
}

const typeOf = (packet: DhcpPacket | undefined) => packet && getOption(packet.options, 'messageType');

test('100,000 DISCOVERs from invented machines leave the addresses of a /24 to real ones', async () => {
  const { flood, ask, close } = await flooded();
  const given = new Set<Ipv4>();
  for (let real = 0; real < 100; real++) {
    for (let i = 0; i < FLOOD / 100; i++) {
      flood(request(invented(real * 1000 + i), { messageType: 'discover' }));
    }
    const mac = `52:54:00:00:00:${real.toString(16).padStart(2, '0')}`;
    const offer = await ask(request(mac, { messageType: 'discover', ...client.uefi }));
    expect(typeOf(offer)).toBe('offer');
    const requestedAddress = offer?.yiaddr ?? identity.address;
    const ack = await ask(
      request(mac, { messageType: 'request', serverId: identity.address, requestedAddress, ...client.uefi }),
    );
    expect(typeOf(ack)).toBe('ack');
    given.add(requestedAddress);
  }
  expect(given.size).toBe(100);
  await close();
}, 60_000);

test('10,000 whole exchanges of invented machines: registered ones get addresses at once, unknown ones after five minutes', async () => {
  const macs = Array.from({ length: 10 }, (_, n) => `52:54:00:00:00:${n.toString(16).padStart(2, '0')}`);
  const { ask, seconds, close } = await flooded(
    macs.map((mac) => ({ name: mac.replaceAll(':', ''), macs: [parseMac(mac)], labels: {} })),
  );
  const exchange = async (mac: string): Promise<string | undefined> => {
    const offer = await ask(request(mac, { messageType: 'discover' }));
    if (offer === undefined) return undefined;
    const chosen = { serverId: identity.address, requestedAddress: offer.yiaddr };
    return typeOf(await ask(request(mac, { messageType: 'request', ...chosen })));
  };
  let taken = 0;
  for (let i = 0; i < 10_000; i++) if ((await exchange(invented(i))) === 'ack') taken++;
  // 101 addresses; a tenth is kept. Of these 91, the last 15 are given for five minutes.
  expect(taken).toBe(91);
  for (const mac of macs) expect(await exchange(mac)).toBe('ack');
  expect(await exchange('52:54:00:ff:00:01')).toBeUndefined();
  seconds.now += 300;
  for (let n = 1; n <= 5; n++) expect(await exchange(`52:54:00:ff:00:0${n}`)).toBe('ack');
  await close();
});
