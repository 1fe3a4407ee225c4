import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { contains, formatIpv4, type Ipv4, parseRange } from '../../server/domain/ipv4.js';
import { parseMac } from '../../server/domain/mac.js';
import type { Machine } from '../../server/domain/machine.js';
import { ip, request } from '../support/dhcp-packets.js';
import { RuleSite } from '../support/dhcp-rules.js';

// More than 300 lines: the rules of RFC 2131 by message, a case each, and the properties over all of them.

const A = '52:54:00:00:00:0a';
const B = '52:54:00:00:00:0b';
const C = '52:54:00:00:00:0c';
const FIRST = ip('10.77.0.100');
const SECOND = ip('10.77.0.101');
const OTHER_SERVER = ip('10.77.0.2');
const RESERVED = ip('10.77.0.11');
const node: Machine = { name: 'node1', macs: [parseMac(A)], address: RESERVED, labels: {} };
const small = { pools: [parseRange('10.77.0.100-10.77.0.101')] };

async function bound(site: RuleSite, mac: string, address: Ipv4): Promise<void> {
  expect(await site.discover(mac)).toBe(`offer ${formatIpv4(address)}`);
  expect(await site.select(mac, address)).toBe(`ack ${formatIpv4(address)}`);
}

describe('DISCOVER', () => {
  test('gets a free address, held until the REQUEST, and the same one when asked again', async () => {
    const site = new RuleSite();
    expect(await site.discover(A)).toBe('offer 10.77.0.100');
    expect(await site.discover(A)).toBe('offer 10.77.0.100');
    expect(await site.discover(B)).toBe('offer 10.77.0.101');
  });

  test('gets the reservation of its machine, also when it had another address before', async () => {
    const site = new RuleSite();
    await bound(site, A, FIRST);
    site.boot.machines = [node];
    expect(await site.discover(A)).toBe('offer 10.77.0.11');
  });

  test('gets another address while somebody sits on the reservation', async () => {
    const site = new RuleSite({ subnet: { pools: [parseRange('10.77.0.11-10.77.0.12')] } });
    await bound(site, B, RESERVED);
    site.boot.machines = [node];
    expect(await site.discover(A)).toBe('offer 10.77.0.12');
  });

  test('a reserved address inside the pool is given to nobody else', async () => {
    const site = new RuleSite({ machines: [{ ...node, address: FIRST }] });
    expect(await site.discover(B)).toBe('offer 10.77.0.101');
    expect(await site.discover(B, { requestedAddress: FIRST })).toBe('offer 10.77.0.101');
  });

  test('gets the address it asks for if that is free', async () => {
    const site = new RuleSite();
    expect(await site.discover(A, { requestedAddress: ip('10.77.0.150') })).toBe('offer 10.77.0.150');
    expect(await site.discover(B, { requestedAddress: ip('10.77.0.150') })).toBe('offer 10.77.0.100');
    expect(await site.discover(C, { requestedAddress: ip('192.168.1.9') })).toBe('offer 10.77.0.101');
  });

  test('keeps its address through firmware, iPXE and OS although the client ids differ', async () => {
    const site = new RuleSite();
    const ids = [undefined, Uint8Array.of(1, 2), Uint8Array.of(255, 0, 1)];
    for (const clientId of ids) {
      expect(await site.discover(A, clientId === undefined ? {} : { clientId })).toBe('offer 10.77.0.100');
      expect(await site.select(A, FIRST)).toBe('ack 10.77.0.100');
    }
  });

  test('finds its old address again after the lease ended, as long as nobody needed it', async () => {
    const site = new RuleSite();
    await bound(site, A, FIRST);
    site.now += 10 * site.subnet.leaseSeconds;
    expect(await site.discover(B)).toBe('offer 10.77.0.101');
    expect(await site.discover(A)).toBe('offer 10.77.0.100');
  });

  test('an ended lease is given to another when the pool has nothing else', async () => {
    const site = new RuleSite({ subnet: small });
    await bound(site, A, FIRST);
    await bound(site, B, SECOND);
    expect(await site.discover(C)).toBe('silence: no address is free in 10.77.0.0/24');
    site.now += site.subnet.leaseSeconds;
    expect(await site.discover(C)).toBe('offer 10.77.0.100');
  });

  test('an offer that nobody took is free again, and the oldest one is given away when all are offered', async () => {
    const site = new RuleSite({ subnet: small });
    await site.discover(A);
    site.now += 1;
    await site.discover(B);
    expect(await site.discover(C)).toBe('offer 10.77.0.100');
    expect(await site.select(A, FIRST)).toBe(`nak: 10.77.0.100 is offered to ${C}`);
    expect(await site.select(C, FIRST)).toBe('ack 10.77.0.100');
    site.now += 61;
    expect(await site.discover(A)).toBe('offer 10.77.0.101');
  });

  test('the server, the router and the ends of the subnet are never given', async () => {
    const site = new RuleSite({ subnet: { pools: [parseRange('10.77.0.0-10.77.0.3')], router: ip('10.77.0.2') } });
    expect(await site.discover(A)).toBe('offer 10.77.0.3');
    expect(await site.discover(B, { requestedAddress: ip('10.77.0.1') })).toBe('offer 10.77.0.3');
  });

  test('without a pool only reservations are given', async () => {
    const site = new RuleSite({ machines: [node], subnet: { pools: [] } });
    expect(await site.discover(A)).toBe('offer 10.77.0.11');
    expect(await site.discover(B)).toBe('silence: no address is free in 10.77.0.0/24');
  });
});

describe('REQUEST', () => {
  test('another server was chosen: silence', async () => {
    const site = new RuleSite();
    await site.discover(A);
    expect(await site.select(A, FIRST, OTHER_SERVER)).toBe('silence: it chose another DHCP server, 10.77.0.2');
  });

  test('selecting: an offer made before our restart is honoured if the address is free', async () => {
    expect(await new RuleSite().select(A, SECOND)).toBe('ack 10.77.0.101');
  });

  test('selecting: somebody else has it: NAK', async () => {
    const site = new RuleSite();
    await bound(site, A, FIRST);
    expect(await site.select(B, FIRST)).toBe(`nak: 10.77.0.100 is leased to ${A}`);
  });

  test('selecting twice (the ACK got lost): the same again', async () => {
    const site = new RuleSite();
    await bound(site, A, FIRST);
    expect(await site.select(A, FIRST)).toBe('ack 10.77.0.100');
  });

  test('init-reboot: its address: ACK; another than its own: NAK; nothing on record: silence', async () => {
    const site = new RuleSite();
    await bound(site, A, FIRST);
    expect(await site.remember(A, FIRST)).toBe('ack 10.77.0.100');
    expect(await site.remember(A, SECOND)).toBe('nak: its address is 10.77.0.100');
    expect(await site.remember(B, SECOND)).toBe('silence: it remembers 10.77.0.101, and nothing is on record here');
  });

  test('init-reboot: an address of another wire: NAK; somebody else’s: NAK for one who has another', async () => {
    const site = new RuleSite();
    await bound(site, A, FIRST);
    expect(await site.remember(B, ip('192.168.1.9'))).toBe('nak: 192.168.1.9 is not in 10.77.0.0/24');
    // No record of B: it must be silence (RFC 2131, section 4.3.2), whoever has the address.
    expect(await site.remember(B, FIRST)).toMatch(/^silence: it remembers 10.77.0.100/);
    await bound(site, B, SECOND);
    expect(await site.remember(B, FIRST)).toBe('nak: its address is 10.77.0.101');
  });

  test('init-reboot: its reservation, on which somebody else sits: NAK', async () => {
    const site = new RuleSite({ subnet: { pools: [parseRange('10.77.0.11-10.77.0.12')] } });
    await bound(site, B, RESERVED);
    site.boot.machines = [node];
    expect(await site.remember(A, RESERVED)).toBe(`nak: 10.77.0.11 is leased to ${B}`);
  });

  test('one machine has one address in a subnet: it cannot take another that was not offered to it', async () => {
    const site = new RuleSite();
    await bound(site, A, FIRST);
    expect(await site.select(A, SECOND)).toBe('nak: 10.77.0.101 was not offered to it: it has 10.77.0.100');
    expect(await site.renew(A, SECOND)).toBe('nak: 10.77.0.101 was not offered to it: it has 10.77.0.100');
    site.now += site.subnet.leaseSeconds;
    expect(await site.select(A, SECOND)).toBe('ack 10.77.0.101');
  });

  test('a relay that goes by the server’s name (RFC 5107): only what was offered here is ours to answer', async () => {
    const relay = ip('10.77.0.254');
    const site = new RuleSite({ machines: [node] });
    await site.discover(B);
    expect(await site.selectThroughRelay(B, FIRST, relay)).toBe('ack 10.77.0.100');
    expect(await site.selectThroughRelay(A, RESERVED, relay)).toBe('ack 10.77.0.11');
    expect(await site.selectThroughRelay(C, SECOND, relay)).toMatch(/^silence: .* of a server behind the relay/);
    expect(await site.selectThroughRelay(C, FIRST, relay)).toMatch(/^silence/);
    const direct = { messageType: 'request', serverId: relay, requestedAddress: SECOND } as const;
    const relayAgent = new Map([[11, Uint8Array.of(10, 77, 0, 254)]]);
    expect(await site.play(request(C, { ...direct, relayAgent }))).toBe(
      'silence: it chose another DHCP server, 10.77.0.254',
    );
  });

  test('init-reboot: the reservation counts as on record, and wins over an old lease', async () => {
    const site = new RuleSite({ machines: [node] });
    expect(await site.remember(A, RESERVED)).toBe('ack 10.77.0.11');
    expect(await site.remember(A, FIRST)).toBe('nak: its address is 10.77.0.11');
  });

  test('renewing: extended from now on; a reservation made meanwhile waits for the next boot', async () => {
    const site = new RuleSite();
    await bound(site, A, FIRST);
    site.boot.machines = [node];
    site.now += 1800;
    expect(await site.renew(A, FIRST)).toBe('ack 10.77.0.100');
    expect(site.leases.leaseAt(FIRST)).toMatchObject({ startedAt: site.now - 1800, expiresAt: site.now + 3600 });
  });

  test('renewing: the address went to somebody else: NAK; reserved for another machine now: NAK', async () => {
    const site = new RuleSite();
    await bound(site, A, FIRST);
    expect(await site.renew(B, FIRST)).toBe(`nak: 10.77.0.100 is leased to ${A}`);
    site.boot.machines = [{ ...node, name: 'node9', macs: [parseMac(C)], address: FIRST }];
    expect(await site.renew(A, FIRST)).toBe('nak: 10.77.0.100 is reserved for node9');
  });

  test('renewing an address that another server gives: silence', async () => {
    expect(await new RuleSite().renew(A, ip('10.77.0.50'))).toMatch(
      /^silence: it renews an address that this server did/,
    );
  });

  test('no address named at all: silence', async () => {
    expect(await new RuleSite().play(request(A, { messageType: 'request' }))).toBe(
      'silence: a REQUEST that names no address',
    );
  });
});

describe('DECLINE, RELEASE, INFORM', () => {
  test('a declined address rests for one lease time, for the one that declined it too', async () => {
    const site = new RuleSite({ subnet: small });
    await bound(site, A, FIRST);
    expect(await site.decline(A, FIRST)).toBe('saved declined');
    expect(await site.discover(A)).toBe('offer 10.77.0.101');
    expect(await site.select(B, FIRST)).toBe(`nak: 10.77.0.100 is in quarantine: ${A} found it in use`);
    site.now += site.subnet.leaseSeconds;
    expect(await site.select(B, FIRST)).toBe('ack 10.77.0.100');
  });

  test('who finds every address in use is believed less each time, and the pool is never empty', async () => {
    const site = new RuleSite({ subnet: small });
    const rests = (address: Ipv4) => (site.leases.leaseAt(address)?.expiresAt ?? 0) - site.now;
    await bound(site, A, FIRST);
    await site.decline(A, FIRST);
    await bound(site, A, SECOND);
    await site.decline(A, SECOND);
    expect([rests(FIRST), rests(SECOND)]).toEqual([3600, 900]);
    // Nothing else is left: the one that rests longest. It rests again if that one finds it in use, too.
    await bound(site, B, FIRST);
    expect(await site.discover(C)).toBe('offer 10.77.0.101');
    expect(await site.decline(C, SECOND)).toBe('saved declined');
    expect([rests(SECOND), site.leases.leaseAt(SECOND)?.mac]).toEqual([3600, C]);
    expect(site.leases.leaseAt(FIRST)).toMatchObject({ state: 'active', mac: B });
  });

  test('a quarantine is never shorter than a minute, nor longer than a lease', async () => {
    for (const [leaseSeconds, expected] of [
      [30, [30, 30, 30, 30]],
      [600, [600, 150, 60, 60]],
    ] as const) {
      const site = new RuleSite({ subnet: { leaseSeconds } });
      const found: number[] = [];
      for (let i = 0; i < 4; i++) {
        const address = (FIRST + i) as Ipv4;
        await bound(site, A, address);
        await site.decline(A, address);
        found.push((site.leases.leaseAt(address)?.expiresAt ?? 0) - site.now);
      }
      expect(found).toEqual(expected);
    }
  });

  test('nobody can decline or release what is not his', async () => {
    const site = new RuleSite();
    await bound(site, A, FIRST);
    expect(await site.decline(B, FIRST)).toMatch(/^silence: a DECLINE of 10.77.0.100, which it does not have/);
    expect(await site.release(B, FIRST)).toMatch(/^silence: a RELEASE of 10.77.0.100, which it does not have/);
    expect(await site.decline(A, SECOND)).toMatch(/^silence/);
  });

  test('a released address is kept in mind for its machine and given to another in need', async () => {
    const site = new RuleSite({ subnet: small });
    await bound(site, A, FIRST);
    await bound(site, B, SECOND);
    expect(await site.release(A, FIRST)).toBe('saved released');
    expect(await site.release(A, FIRST)).toMatch(/^silence/);
    expect(await site.discover(A)).toBe('offer 10.77.0.100');
    site.now += 61;
    expect(await site.discover(C)).toBe('offer 10.77.0.100');
  });

  test('INFORM is answered without an address', async () => {
    const site = new RuleSite();
    expect(await site.play(request(A, { messageType: 'inform' }, { ciaddr: ip('10.77.0.9') }))).toBe('ack');
    expect(await site.play(request(A, { messageType: 'inform' }))).toMatch(/^silence/);
    expect(await site.play(request(A, { messageType: 'inform' }, { ciaddr: ip('203.0.113.9') }))).toBe(
      'silence: an INFORM from 203.0.113.9, which is not in 10.77.0.0/24',
    );
  });
});

test('property: whatever the clients send, no address is ever leased to two of them, and all lie in the subnet', async () => {
  const macs = [A, B, C, '52:54:00:00:00:0d'];
  const step = fc.record({
    what: fc.constantFrom('discover', 'select', 'remember', 'renew', 'decline', 'release', 'wait'),
    who: fc.nat({ max: macs.length - 1 }),
    host: fc.integer({ min: 99, max: 104 }),
    seconds: fc.constantFrom(1, 59, 61, 1800, 3600),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const site = new RuleSite({ subnet: { pools: [parseRange('10.77.0.100-10.77.0.102')] } });
      const holds = new Map<string, { readonly mac: string; readonly until: number }>();
      for (const { what, who, host, seconds } of steps) {
        const mac = macs[who] ?? A;
        const address = ip(`10.77.0.${host}`);
        if (what === 'wait') site.now += seconds;
        else {
          const answer = await (what === 'discover' ? site.discover(mac) : site[what](mac, address));
          if (answer === 'saved released' || answer === 'saved declined') holds.delete(formatIpv4(address));
          const given = /^ack (\S+)$/.exec(answer)?.[1];
          if (given === undefined) continue;
          const before = holds.get(given);
          expect(before === undefined || before.mac === mac || before.until <= site.now).toBe(true);
          expect(contains(site.subnet.cidr, ip(given))).toBe(true);
          holds.set(given, { mac, until: site.now + site.subnet.leaseSeconds });
        }
      }
      expect([...site.store.rows.values()]).toEqual(expect.arrayContaining([...site.leases.all()]));
    }),
    { numRuns: 300, seed: 20261121 },
  );
});

test('property: a storm of DISCOVERs: no address is offered to two machines while another is free, and all are answered', async () => {
  const storm = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(storm, async (senders) => {
      const site = new RuleSite({ subnet: { pools: [parseRange('10.77.0.100-10.77.0.107')] } });
      const offers = new Map<string, string>();
      for (const sender of senders) {
        const answer = await site.discover(`52:54:00:00:00:${sender.toString(16).padStart(2, '0')}`);
        expect(answer).toMatch(/^offer 10\.77\.0\.10[0-7]$/);
        const before = Array.from(offers).find(([, address]) => address === answer)?.[0];
        // Only when all eight are offered the oldest offer is given away.
        if (before !== undefined && before !== String(sender)) {
          expect(new Set(offers.values()).size).toBe(8);
          expect([...offers.keys()][0]).toBe(before);
          offers.delete(before);
        }
        const again = offers.get(String(sender));
        if (again !== undefined) expect(again).toBe(answer);
        // An offer that is repeated counts from the repetition.
        offers.delete(String(sender));
        offers.set(String(sender), answer);
      }
    }),
    { numRuns: 200 },
  );
});

describe('machines that are told by their port or client id', () => {
  const told: Machine = { name: 'node9', macs: [], clientId: 'node-9', address: RESERVED, labels: {} };

  test('a new network card gets the reserved address at once; a listed second card does not', async () => {
    const site = new RuleSite({ machines: [told] });
    site.boot.machineOf = () => told;
    await bound(site, A, RESERVED);
    await bound(site, B, RESERVED);
    const listed = { ...told, macs: [parseMac(B), parseMac(C)] };
    site.boot.machines = [listed];
    site.boot.machineOf = () => listed;
    expect(await site.discover(C)).toBe('offer 10.77.0.100');
  });
});

test('a machine that becomes known leaves the pool for unknown ones at its next DISCOVER, and is renewed until then', async () => {
  const pools = [
    { ...parseRange('10.77.0.100-10.77.0.101'), for: 'unknown' as const },
    { ...parseRange('10.77.0.50-10.77.0.51'), for: 'known' as const },
  ];
  const site = new RuleSite({ subnet: { pools } });
  await bound(site, A, FIRST);
  site.boot.machines = [{ name: 'node1', macs: [parseMac(A)], labels: {} }];
  expect(await site.renew(A, FIRST)).toBe('ack 10.77.0.100');
  await bound(site, A, ip('10.77.0.50'));
});

test('an address that is excluded later is left at the next DISCOVER', async () => {
  const site = new RuleSite();
  await bound(site, A, FIRST);
  site.leases.configure([{ ...site.subnet, exclude: [{ first: FIRST, last: FIRST }] }]);
  await bound(site, A, SECOND);
});
