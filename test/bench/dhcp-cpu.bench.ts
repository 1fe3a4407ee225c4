import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { createBootCore } from '../../server/boot/create-boot-core.js';
import { randomIds } from '../../server/boot/random-ids.js';
import { DhcpMetrics } from '../../server/dhcp/dhcp-metrics.js';
import { PacketGuard } from '../../server/dhcp/packet-guard.js';
import { createDhcpServer } from '../../server/dhcp/server.js';
import type { LinkEvents } from '../../server/dhcp/socket.js';
import { WireWatch } from '../../server/dhcp/wire-watch.js';
import { hexOf } from '../../server/domain/hex.js';
import { parseCidr, parseIpv4, parseRange } from '../../server/domain/ipv4.js';
import type { Mac } from '../../server/domain/mac.js';
import type { Machine } from '../../server/domain/machine.js';
import { profilesDir } from '../../server/paths.js';
import { loadProfiles } from '../../server/render/profiles.js';
import { LeaseBook } from '../../server/state/leases.js';
import { State } from '../../server/state/state.js';
import { openStore } from '../../server/store/open-store.js';
import { encodePacket } from '../../server/wire/dhcp/packet.js';
import { client, request } from '../support/dhcp-packets.js';
import { identity, subnet } from '../support/dhcp-site.js';
import { tempFolder } from '../support/temp-folder.js';
import { benchMac } from './clients/dhcp-words.js';

/** Machines of a round; each has its first boot in it. */
const MACHINES = 8000;
const ROUNDS = 4;
/** So many packets come at once, as from a relay that many machines are behind. */
const TOGETHER = 64;

/**
 * Processor time of an exchange in this process and all its threads, without the kernel's part of the network: decision, lease on
 * the disk, boot session, three events, log. It holds on a busy computer too, where rates say nothing.
 */
test('processor time of an exchange, by thread', async () => {
  const folder = tempFolder();
  const store = await openStore({ path: join(folder, 'anybios.db') });
  const nets = ['10.64', '10.65'].map((net) =>
    subnet({
      cidr: parseCidr(`${net}.0.0/16`),
      pools: [parseRange(`${net}.0.10-${net}.255.250`)],
      bootFiles: { 7: 'boot.efi' },
    }),
  );
  const macs = Array.from({ length: MACHINES * ROUNDS }, (_, i) => hexOf(benchMac(0x10000000 + i), ':') as Mac);
  const role = { name: 'bench', profile: 'micro', mode: 'resident', systems: [], params: {} } as const;
  const machines = macs.map((mac, i): Machine => ({ name: `m${i}`, macs: [mac], role: 'bench', labels: {} }));
  const snapshot = { ...(await store.load()), roles: [role], machines };
  const state = new State(
    snapshot,
    Array.from(loadProfiles(profilesDir).values(), ({ profile }) => profile),
  );
  const log = pino(
    {},
    pino.destination({ dest: join(folder, 'log'), sync: false, minLength: 16_000, periodicFlush: 100 }),
  );
  const leases = new LeaseBook({
    leases: [],
    subnets: nets,
    excluded: [identity.address],
    reservedFor: () => undefined,
    store,
  });
  const core = createBootCore({
    store,
    snapshot,
    state,
    identity,
    subnets: nets,
    unknown: { kind: 'localdisk' },
    key: 'key',
    files: { loaders: new Map(), imageFile: async () => ({ kind: 'none', reason: '' }), siteFile: undefined },
    renderProfile: () => '',
    renderText: () => '',
    leaseAddress: (mac) => leases.addressOf(mac),
    renewLease: async () => undefined,
    log,
    clock: Date.now,
    newId: randomIds(),
  });
  const record = core.events.record.bind(core.events);
  let link: LinkEvents | undefined;
  let answered = 0;
  const paper = {
    name: 'paper0',
    addresses: [identity.address],
    send: (bytes: Uint8Array): void => {
      answered++;
      offered.push(((bytes[16] ?? 0) << 24) | ((bytes[17] ?? 0) << 16) | ((bytes[18] ?? 0) << 8) | (bytes[19] ?? 0));
    },
    close: async (): Promise<void> => undefined,
  };
  const offered: number[] = [];
  const dhcp = createDhcpServer({
    interfaces: ['paper0'],
    subnets: nets,
    identity,
    boot: core.boot,
    leases,
    clock: Date.now,
    log: log.child({ part: 'dhcp' }),
    watch: new WireWatch({
      record,
      clock: Date.now,
      log,
      openListener: () => ({ read: () => [], close: () => undefined }),
    }),
    guard: new PacketGuard({ record, clock: Date.now }),
    metrics: new DhcpMetrics(),
    openLink: async (_name, events) => {
      link = events;
      return paper;
    },
  });
  await dhcp.start();
  const packet = (mac: string, relay: number, fields: Parameters<typeof request>[1]): Uint8Array =>
    encodePacket({ ...request(mac, { ...fields, ...client.uefi }), giaddr: parseIpv4(`10.${64 + relay}.0.1`) });

  for (let round = 0; round < ROUNDS; round++) {
    const its = macs.slice(round * MACHINES, (round + 1) * MACHINES);
    const discovers = its.map((mac, i) => packet(mac, i % 2, { messageType: 'discover' }));
    const requests = its.map((mac, i) =>
      packet(mac, i % 2, {
        messageType: 'request',
        serverId: identity.address,
        requestedAddress: parseIpv4('10.64.0.1'),
      }),
    );
    // Where option 50 has its value: filled in with what was offered.
    const at = requests.map((bytes) => indexOfOption(bytes, 50));
    const before = threads();
    for (let i = 0; i < MACHINES; i += TOGETHER) {
      offered.length = 0;
      for (let n = i; n < Math.min(i + TOGETHER, MACHINES); n++) link?.packet(discovers[n] ?? new Uint8Array(), paper);
      const addresses = offered.slice();
      const acknowledged = answered + addresses.length;
      addresses.forEach((address, n) => {
        const bytes = requests[i + n] ?? new Uint8Array();
        new DataView(bytes.buffer, bytes.byteOffset).setUint32(at[i + n] ?? 0, address >>> 0);
        link?.packet(bytes, paper);
      });
      while (answered < acknowledged) await new Promise(setImmediate);
    }
    await core.events.flush();
    const spent = [...threads()].map(([thread, time]) => (time - (before.get(thread) ?? 0)) / 1000 / MACHINES);
    const [main = 0, ...others] = spent;
    const rest = others.filter((time) => time >= 0.1).sort((a, b) => b - a);
    const all = spent.reduce((sum, time) => sum + time, 0);
    const parts = [main, ...rest].map((time) => time.toFixed(1)).join(' + ');
    process.stdout.write(
      `round ${round + 1}: ${all.toFixed(0)} us for an exchange (main thread, then the others: ${parts})\n`,
    );
  }
  expect(dhcp.counts).toMatchObject({ replied: MACHINES * ROUNDS * 2, ignored: 0, malformed: 0, failed: 0 });
  await dhcp.close();
  await core.events.flush();
  await store.close();
});

/** Nanoseconds on a processor of each thread of this process, the first one first. */
function threads(): Map<string, number> {
  const folder = '/proc/self/task';
  return new Map(
    readdirSync(folder).map((thread) => [
      thread,
      Number(readFileSync(`${folder}/${thread}/schedstat`, 'utf8').split(' ')[0]),
    ]),
  );
}

function indexOfOption(bytes: Uint8Array, code: number): number {
  let at = 240;
  while (bytes[at] !== code) at += 2 + (bytes[at + 1] ?? 0);
  return at + 2;
}
