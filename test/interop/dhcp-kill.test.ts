import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { openUdpOnInterface } from '../../server/dhcp/native-sockets.js';
import { formatIpv4, type Ipv4, parseIpv4 } from '../../server/domain/ipv4.js';
import { macFromBytes } from '../../server/domain/mac.js';
import { getOption } from '../../server/wire/dhcp/options.js';
import { type DhcpPacket, decodePacket, encodePacket } from '../../server/wire/dhcp/packet.js';
import { DhcpWire, ip } from '../support/dhcp-namespace.js';
import { client, request } from '../support/dhcp-packets.js';
import { startRealServer } from '../support/real-server.js';
import { tempFolder } from '../support/temp-folder.js';

const MACHINES = 3000;
const KILL_AFTER = 600;
const RELAY = parseIpv4('10.64.0.1');
const SERVER = parseIpv4('10.77.0.1');

let wire: DhcpWire;
let relay: string;

beforeAll(() => {
  wire = new DhcpWire('kill', '10.77.0.1/24');
  relay = wire.addClient('relay', '52:54:00:00:00:fe');
  ip(relay, 'addr', 'add', '10.77.0.254/24', 'dev', 'eth0');
  ip(relay, 'addr', 'add', `${formatIpv4(RELAY)}/32`, 'dev', 'eth0');
  ip(wire.server, 'route', 'add', '10.64.0.0/16', 'via', '10.77.0.254');
});
afterAll(() => wire.remove());

const macOf = (index: number): string =>
  `52:54:01:${[16, 8, 0].map((shift) => ((index >>> shift) & 255).toString(16).padStart(2, '0')).join(':')}`;

/** A relay with many machines behind it. */
class Relay {
  readonly #socket: Socket;
  readonly acked = new Map<string, Ipv4>();
  onAnswer: ((type: string, mac: string, packet: DhcpPacket) => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (bytes) => {
      const packet = decodePacket(bytes);
      const mac = macFromBytes(packet.chaddr) ?? '';
      const type = getOption(packet.options, 'messageType') ?? '';
      if (type === 'ack') this.acked.set(mac, packet.yiaddr);
      this.onAnswer?.(type, mac, packet);
    });
  }

  send(mac: string, fields: Parameters<typeof request>[1]): void {
    const packet = { ...request(mac, { ...client.uefi, ...fields }), giaddr: RELAY };
    this.#socket.send(encodePacket(packet), 67, formatIpv4(SERVER));
  }
}

async function openRelay(): Promise<Relay> {
  const socket = createSocket('udp4');
  const listening = once(socket, 'listening');
  wire.inside(relay, () => socket.bind({ fd: openUdpOnInterface('eth0', 67) }));
  await listening;
  onTestFinished(() => void socket.close());
  return new Relay(socket);
}

test('kill -9 in the middle of a storm: no lease that was acknowledged is unknown or given twice', async () => {
  const folder = tempFolder();
  const behind = await openRelay();
  const first = await startRealServer(wire, folder);
  behind.onAnswer = (type, mac, packet) => {
    if (type !== 'offer') return;
    behind.send(mac, { messageType: 'request', serverId: SERVER, requestedAddress: packet.yiaddr });
  };
  for (let i = 0; i < MACHINES; i++) behind.send(macOf(i), { messageType: 'discover' });
  await expect.poll(() => behind.acked.size, { timeout: 20_000, interval: 1 }).toBeGreaterThan(KILL_AFTER);
  await first.end('SIGKILL');
  const promised = new Map(behind.acked);
  behind.acked.clear();
  behind.onAnswer = undefined;
  expect(new Set(promised.values()).size).toBe(promised.size);

  const second = await startRealServer(wire, folder);
  onTestFinished(() => second.end('SIGTERM'));
  const refused: string[] = [];
  const taken: string[] = [];
  const owners = new Map(Array.from(promised, ([mac, address]) => [address, mac]));
  let offers = 0;
  behind.onAnswer = (type, mac, packet) => {
    if (type === 'nak') refused.push(mac);
    if (type !== 'offer') return;
    offers++;
    const owner = owners.get(packet.yiaddr);
    if (owner !== undefined && owner !== mac) taken.push(`${formatIpv4(packet.yiaddr)} of ${owner} to ${mac}`);
  };
  // Newcomers first: what was promised before the kill must not be offered to them.
  for (let i = 0; i < 500; i++) behind.send(macOf(MACHINES + i), { messageType: 'discover' });
  await expect.poll(() => offers, { timeout: 20_000 }).toBe(500);
  for (const [mac, address] of promised) behind.send(mac, { messageType: 'request', requestedAddress: address });
  await expect.poll(() => behind.acked.size + refused.length, { timeout: 20_000 }).toBe(promised.size);
  expect({ refused, taken }).toEqual({ refused: [], taken: [] });
  expect(behind.acked).toEqual(promised);
});
