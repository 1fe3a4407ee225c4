import { describe, expect, onTestFinished, test } from 'vitest';
import type { ReplyPath } from '../../server/decide/reply-path.js';
import type { DhcpServer } from '../../server/dhcp/contract.js';
import type { SendFailed } from '../../server/dhcp/datagrams.js';
import { createDhcpServer } from '../../server/dhcp/server.js';
import type { DhcpLink, LinkEvents } from '../../server/dhcp/socket.js';
import { unavailable } from '../../server/domain/errors.js';
import type { Ipv4 } from '../../server/domain/ipv4.js';
import type { Lease } from '../../server/domain/lease.js';
import { parseMac } from '../../server/domain/mac.js';
import { LeaseBook, type LeaseStore } from '../../server/state/leases.js';
import { getOption } from '../../server/wire/dhcp/options.js';
import { type DhcpPacket, decodePacket, encodePacket } from '../../server/wire/dhcp/packet.js';
import { client, ip, request } from '../support/dhcp-packets.js';
import { MemoryLeases } from '../support/dhcp-rules.js';
import { identity, SiteBoot, subnet } from '../support/dhcp-site.js';

const MAC = '52:54:00:00:00:01';
const FIRST = ip('10.77.0.100');
const discover = request(MAC, { messageType: 'discover', ...client.uefi });
const select = request(MAC, {
  messageType: 'request',
  serverId: identity.address,
  requestedAddress: FIRST,
  ...client.uefi,
});

/** A link without a kernel: what is sent is kept, what shall be heard is handed in. */
class PaperLink implements DhcpLink {
  readonly name = 'paper0';
  readonly addresses = [identity.address];
  readonly sent: { readonly packet: DhcpPacket; readonly path: ReplyPath }[] = [];
  readonly #events: LinkEvents;
  sendError: Error | undefined;
  closed = false;

  constructor(events: LinkEvents) {
    this.#events = events;
  }

  hear(packet: DhcpPacket | Uint8Array): void {
    this.#events.packet(packet instanceof Uint8Array ? packet : encodePacket(packet), this);
  }

  send(bytes: Uint8Array, path: ReplyPath, _from: Ipv4, failed: SendFailed): void {
    if (this.sendError === undefined) this.sent.push({ packet: decodePacket(Uint8Array.from(bytes)), path });
    else failed(this.sendError);
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  types(): (string | undefined)[] {
    return this.sent.map(({ packet }) => getOption(packet.options, 'messageType'));
  }
}

interface Started {
  readonly server: DhcpServer;
  readonly link: PaperLink;
  readonly boot: SiteBoot;
  readonly leases: LeaseBook;
  readonly logged: string[];
}

async function start(store: LeaseStore = new MemoryLeases()): Promise<Started> {
  const links: PaperLink[] = [];
  const logged: string[] = [];
  const boot = new SiteBoot();
  const net = subnet();
  const leases = new LeaseBook({
    leases: [],
    subnets: [net],
    excluded: [identity.address],
    reservedFor: () => undefined,
    store,
  });
  const server = createDhcpServer({
    interfaces: ['paper0'],
    subnets: [net],
    identity,
    boot,
    leases,
    clock: () => 1_000_000_000,
    log: {
      info: (_data, message) => logged.push(`info ${message}`),
      warn: (data, message) => logged.push(`warn ${message} ${JSON.stringify(data)}`),
      error: (_data, message) => logged.push(`error ${message}`),
    },
    openLink: async (_name, events) => {
      const link = new PaperLink(events);
      links.push(link);
      return link;
    },
  });
  await server.start();
  onTestFinished(() => server.close());
  const [link] = links;
  if (link === undefined) throw new Error('no link was opened');
  return { server, link, boot, leases, logged };
}

/** A store that answers when told to. */
class SlowStore extends MemoryLeases {
  #release: (() => void) | undefined;
  asked = 0;

  override async claimLease(lease: Lease, expected: Lease | undefined): Promise<'ok' | 'conflict'> {
    this.asked++;
    await new Promise<void>((resolve) => {
      this.#release = resolve;
    });
    return await super.claimLease(lease, expected);
  }

  release(): void {
    this.#release?.();
  }
}

describe('one packet, one answer', () => {
  test('DISCOVER to ACK, with a step for each in the timeline and one line in the log for the exchange', async () => {
    const { link, boot, logged, server } = await start();
    link.hear(discover);
    await expect.poll(() => link.sent.length).toBe(1);
    link.hear(select);
    await expect.poll(() => link.sent.length).toBe(2);
    expect(link.types()).toEqual(['offer', 'ack']);
    expect(boot.steps.map(({ message, text }) => `${message}: ${text}`)).toEqual([
      'discover: discover from PXE firmware, x64 UEFI (arch 7)',
      'offer: PXE firmware, x64 UEFI (arch 7): offered 10.77.0.100 (free) and shimx64.efi',
      'request: request from PXE firmware, x64 UEFI (arch 7)',
      'ack: PXE firmware, x64 UEFI (arch 7): given 10.77.0.100 (selected) and shimx64.efi',
    ]);
    expect(logged).toEqual([`info ${MAC}: given 10.77.0.100 (selected) and shimx64.efi`]);
    expect(server.counts).toEqual({ received: 2, replied: 2, ignored: 0, malformed: 0, failed: 0 });
  });

  test('a request that is not answered is a step with its reason', async () => {
    const { link, boot, server } = await start();
    link.hear(request(MAC, { messageType: 'request', serverId: ip('10.77.0.2'), requestedAddress: FIRST }));
    await expect.poll(() => server.counts.ignored).toBe(1);
    expect(boot.steps.at(-1)).toMatchObject({
      message: 'ignored',
      text: 'ignored: it chose another DHCP server, 10.77.0.2',
    });
    expect(link.sent).toEqual([]);
  });

  test('a broken packet is counted and logged once a second; the next one is answered', async () => {
    const { link, server, logged } = await start();
    for (let i = 0; i < 50; i++) link.hear(Uint8Array.of(1, 1, 6));
    link.hear(discover);
    await expect.poll(() => link.sent.length).toBe(1);
    expect(server.counts.malformed).toBe(50);
    expect(logged.filter((line) => line.startsWith('warn'))).toEqual([
      expect.stringContaining('hops: needs 1 bytes at offset 3'),
    ]);
  });

  test('an option that is broken where it matters is ignored with its name', async () => {
    const { link, boot, server } = await start();
    link.hear({ ...select, options: new Map(select.options).set(50, Uint8Array.of(1)) });
    await expect.poll(() => server.counts.malformed).toBe(1);
    expect(boot.steps.at(-1)?.text).toBe('ignored: option 50 (requested-address): is 1 bytes long instead of 4');
  });
});

describe('the lease is on disk before its ACK leaves (RFC 2131)', () => {
  test('no ACK while the store has not answered', async () => {
    const store = new SlowStore();
    const { link, boot } = await start(store);
    link.hear(select);
    await expect.poll(() => store.asked).toBe(1);
    expect([link.sent.length, boot.words()]).toEqual([0, ['request']]);
    store.release();
    await expect.poll(() => link.types()).toEqual(['ack']);
    expect(boot.words()).toEqual(['request', 'ack']);
  });

  test('no ACK when the store fails; the reason is in the events, and the address is free again', async () => {
    const failing: LeaseStore = {
      claimLease: () => Promise.reject(unavailable('the disk is full')),
      lease: () => Promise.reject(unavailable('the disk is full')),
    };
    const { link, boot, leases, logged, server } = await start(failing);
    link.hear(select);
    await expect.poll(() => server.counts.failed).toBe(1);
    expect([link.sent, leases.leaseAt(FIRST)]).toEqual([[], undefined]);
    expect(boot.steps.at(-1)).toMatchObject({ message: 'ignored', text: 'ignored: the disk is full' });
    expect(logged).toEqual(['error a DHCP packet could not be answered']);
  });

  test('another server took the address: NAK, and the next DISCOVER gets another one', async () => {
    const taken = new MemoryLeases();
    taken.rows.set(FIRST, {
      address: FIRST,
      mac: parseMac('52:54:00:00:00:99'),
      state: 'active',
      startedAt: 1_000_000,
      expiresAt: 1_003_600,
    });
    const { link } = await start(taken);
    link.hear(select);
    await expect.poll(() => link.types()).toEqual(['nak']);
    link.hear(discover);
    await expect.poll(() => link.sent.at(1)?.packet.yiaddr).toBe(ip('10.77.0.101'));
  });

  test('a machine that uses the MAC of one pinned to another port gets nothing, and the reason is told', async () => {
    const { link, boot, server } = await start();
    const senderOf = boot.senderOf.bind(boot);
    boot.senderOf = (facts) => ({ ...senderOf(facts), impostorOf: 'node7' });
    link.hear(discover);
    link.hear(select);
    await expect.poll(() => server.counts.ignored).toBe(2);
    expect([link.sent, boot.steps.at(-1)?.text]).toEqual([
      [],
      'ignored: its MAC is the one of node7, which is pinned to another port: nothing is given to it',
    ]);
  });

  test('closing waits for the answer that is on its way, and hears nothing more', async () => {
    const store = new SlowStore();
    const { link, server } = await start(store);
    link.hear(select);
    await expect.poll(() => store.asked).toBe(1);
    const closing = server.close();
    link.hear(discover);
    store.release();
    await closing;
    expect(link.types()).toEqual(['ack']);
    expect(link.closed).toBe(true);
  });
});

test('a kernel that refuses to send is an error in the log and a reason in the events', async () => {
  const { link, boot, server } = await start();
  link.sendError = new Error('send ENETDOWN');
  link.hear(discover);
  await expect.poll(() => server.counts.failed).toBe(1);
  expect(boot.steps.at(-1)?.text).toBe('ignored: send ENETDOWN');
});
