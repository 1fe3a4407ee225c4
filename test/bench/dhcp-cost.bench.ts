import { expect, test } from 'vitest';
import { createDhcpServer } from '../../server/dhcp/server.js';
import type { LinkEvents } from '../../server/dhcp/socket.js';
import { type Ipv4, parseCidr, parseIpv4, parseRange } from '../../server/domain/ipv4.js';
import { LeaseBook } from '../../server/state/leases.js';
import { decodePacket, encodePacket } from '../../server/wire/dhcp/packet.js';
import { client, request } from '../support/dhcp-packets.js';
import { MemoryLeases } from '../support/dhcp-rules.js';
import { identity, SiteBoot, subnet } from '../support/dhcp-site.js';

/** Exchanges measured for each number of machines. */
const EXCHANGES = 20_000;

/** What one DISCOVER-OFFER-REQUEST-ACK costs this process without kernel, disk and timeline, in microseconds of processor time. */
async function costOf(machines: number): Promise<number> {
  const net = subnet({ cidr: parseCidr('10.64.0.0/14'), pools: [parseRange('10.64.0.10-10.67.255.250')] });
  const leases = new LeaseBook({
    leases: [],
    subnets: [net],
    excluded: [identity.address],
    reservedFor: () => undefined,
    store: new MemoryLeases(),
  });
  const boot = new SiteBoot();
  let events: LinkEvents | undefined;
  let answer: Uint8Array = new Uint8Array();
  const link = {
    name: 'paper0',
    addresses: [identity.address],
    send: async (bytes: Uint8Array): Promise<void> => {
      answer = bytes;
    },
    close: async (): Promise<void> => undefined,
  };
  const server = createDhcpServer({
    interfaces: ['paper0'],
    subnets: [net],
    identity,
    boot,
    leases,
    clock: Date.now,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    openLink: async (_name, given) => {
      events = given;
      return link;
    },
  });
  await server.start();
  const giaddr = parseIpv4('10.64.0.1');
  const send = (mac: string, fields: Parameters<typeof request>[1]): void =>
    events?.packet(encodePacket({ ...request(mac, { ...fields, ...client.uefi }), giaddr }), link);
  const round = async (index: number): Promise<void> => {
    const tail = index.toString(16).padStart(6, '0');
    const mac = `52:54:00:${tail.slice(0, 2)}:${tail.slice(2, 4)}:${tail.slice(4)}`;
    send(mac, { messageType: 'discover' });
    const requestedAddress: Ipv4 = decodePacket(answer).yiaddr;
    send(mac, { messageType: 'request', serverId: identity.address, requestedAddress });
    await new Promise(setImmediate);
  };
  for (let i = 0; i < machines; i++) await round(i);
  const before = process.cpuUsage();
  for (let i = 0; i < EXCHANGES; i++) {
    await round(i % machines);
    boot.steps.length = 0;
  }
  const { user, system } = process.cpuUsage(before);
  expect(server.counts).toMatchObject({ ignored: 0, malformed: 0, failed: 0 });
  await server.close();
  return (user + system) / EXCHANGES;
}

test('the cost of an exchange does not grow with the number of machines', async () => {
  // The first round warms the compiler up.
  await costOf(1000);
  for (const machines of [100, 1000, 10_000, 100_000]) {
    const cost = await costOf(machines);
    process.stdout.write(`${String(machines).padStart(7)} machines: ${cost.toFixed(1)} us for an exchange\n`);
  }
});
