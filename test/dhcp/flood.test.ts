import { expect, test } from 'vitest';
import { createDhcpServer } from '../../server/dhcp/server.js';
import type { LinkEvents } from '../../server/dhcp/socket.js';
import type { Ipv4 } from '../../server/domain/ipv4.js';
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

test('100,000 DISCOVERs from invented machines leave the addresses of a /24 to real ones', async () => {
  const net = subnet();
  const leases = new LeaseBook({
    leases: [],
    subnets: [net],
    excluded: [identity.address],
    reservedFor: () => undefined,
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
  const boot = new SiteBoot();
  const server = createDhcpServer({
    interfaces: ['paper0'],
    subnets: [net],
    identity,
    boot,
    leases,
    clock: () => 1_000_000_000,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    openLink: async (_name, given) => {
      events = given;
      return link;
    },
  });
  await server.start();
  const ask = async (packet: DhcpPacket): Promise<DhcpPacket | undefined> => {
    events?.packet(encodePacket(packet), link);
    await expect.poll(() => server.counts.replied + server.counts.ignored === server.counts.received).toBe(true);
    return answers.splice(0).at(-1);
  };

  const given = new Set<Ipv4>();
  for (let real = 0; real < 100; real++) {
    for (let i = 0; i < FLOOD / 100; i++) {
      const packet = request(invented(real * 1000 + i), { messageType: 'discover' });
      events?.packet(encodePacket(packet), link);
    }
    boot.steps.length = 0;
    const mac = `52:54:00:00:00:${real.toString(16).padStart(2, '0')}`;
    const offer = await ask(request(mac, { messageType: 'discover', ...client.uefi }));
    expect(offer && getOption(offer.options, 'messageType')).toBe('offer');
    const requestedAddress = offer?.yiaddr ?? identity.address;
    const ack = await ask(
      request(mac, { messageType: 'request', serverId: identity.address, requestedAddress, ...client.uefi }),
    );
    expect(ack && getOption(ack.options, 'messageType')).toBe('ack');
    given.add(requestedAddress);
  }
  expect(given.size).toBe(100);
  await server.close();
}, 60_000);
