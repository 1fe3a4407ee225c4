import { describe, expect, test } from 'vitest';
import { type Ipv4, parseRange } from '../../server/domain/ipv4.js';
import { parseMac } from '../../server/domain/mac.js';
import type { Machine } from '../../server/domain/machine.js';
import type { Subnet } from '../../server/domain/site.js';
import { getOption } from '../../server/wire/dhcp/options.js';
import { ip, request, utf8 } from '../support/dhcp-packets.js';
import { RuleSite } from '../support/dhcp-rules.js';
import { identity } from '../support/dhcp-site.js';

/* Machines that nobody knows, when there are more of them than addresses. */

const FIRST = ip('10.77.0.100');
const RELAY = ip('10.77.0.254');
const twenty = { pools: [parseRange('10.77.0.100-10.77.0.119')] };
const mac = (n: number): string => `02:00:00:00:00:${n.toString(16).padStart(2, '0')}`;
const address = (n: number): Ipv4 => (FIRST + n) as Ipv4;
const NODE = '52:54:00:00:00:0a';
const node: Machine = { name: 'node1', macs: [parseMac(NODE)], labels: {} };

/** The whole exchange of invented machine `n`: the address, or `none`. */
async function take(site: RuleSite, n: number, from = mac(n)): Promise<string> {
  const offer = /^offer (\S+)$/.exec(await site.discover(from))?.[1];
  return offer === undefined ? 'none' : await site.select(from, ip(offer));
}

const lasts = (site: RuleSite, n: number): number => (site.leases.leaseAt(address(n))?.expiresAt ?? 0) - site.now;

describe('the last addresses of a pool', () => {
  const two = [node, { ...node, name: 'node2', macs: [parseMac(mac(99))] }];

  test('are kept for registered machines without an address of their own: a tenth, but no more than there are', async () => {
    for (const [machines, given] of [
      [[], 20],
      [[node], 19],
      [two, 18],
      [[...two, { ...node, name: 'node3', macs: [] }], 18],
      [[{ ...node, address: ip('10.77.0.9') }], 20],
    ] as const) {
      const site = new RuleSite({ subnet: twenty, machines });
      const answers: string[] = [];
      for (let n = 0; n < 25; n++) answers.push(await take(site, n));
      expect(answers.filter((answer) => answer.startsWith('ack'))).toHaveLength(given);
    }
  });

  test('go to a registered machine in the middle of a flood, and a stranger is told why it gets none', async () => {
    const site = new RuleSite({ subnet: twenty, machines: [node] });
    for (let n = 0; n < 19; n++) await take(site, n);
    expect(await site.discover(mac(30))).toBe('silence: no address is free in 10.77.0.0/24 for unknown machines');
    expect(await site.select(mac(30), address(19))).toBe(
      'nak: 10.77.0.119 is one of the last of its pool, kept for registered machines',
    );
    expect(await take(site, 0, NODE)).toBe('ack 10.77.0.119');
    // Those who have an address keep it.
    expect(await site.renew(mac(3), address(3))).toBe('ack 10.77.0.103');
  });

  test('cannot be taken by offers that were made while there was room', async () => {
    const site = new RuleSite({ subnet: twenty, machines: [node] });
    for (let n = 0; n < 20; n++) expect(await site.discover(mac(n))).toMatch(/^offer/);
    const answers: string[] = [];
    for (let n = 0; n < 20; n++) answers.push(await site.select(mac(n), address(n)));
    expect(answers.filter((answer) => answer.startsWith('ack'))).toHaveLength(19);
    expect(answers[19]).toMatch(/kept for registered machines$/);
  });

  test('a pool for one kind of machine is theirs to the last', async () => {
    const site = new RuleSite({
      subnet: { pools: [{ ...parseRange('10.77.0.100-10.77.0.119'), for: 'unknown' }] },
      machines: [node],
    });
    for (let n = 0; n < 20; n++) expect(await take(site, n)).toMatch(/^ack/);
  });

  test('are counted right through ends, releases, quarantines and a new configuration', async () => {
    const site = new RuleSite({ subnet: twenty, machines: [node] });
    for (let n = 0; n < 19; n++) await take(site, n);
    const full = async (): Promise<boolean> => (await site.discover(mac(40))).startsWith('silence');
    expect(await full()).toBe(true);
    await site.release(mac(4), address(4));
    expect(await take(site, 41)).toBe('ack 10.77.0.119');
    expect(await full()).toBe(true);
    await site.decline(mac(5), address(5));
    expect(await full()).toBe(true);
    site.leases.configure([site.subnet]);
    expect(await full()).toBe(true);
    site.now += site.subnet.leaseSeconds;
    site.leases.configure([site.subnet]);
    expect(await full()).toBe(false);
  });
});

describe('the first lease of an unknown machine', () => {
  test('is short once three quarters are in use, and whole for who still asks after a minute', async () => {
    const site = new RuleSite({ subnet: twenty });
    for (let n = 0; n < 17; n++) await take(site, n);
    expect([lasts(site, 14), lasts(site, 15), lasts(site, 16)]).toEqual([3600, 300, 300]);
    // Firmware, then iPXE: the same boot.
    site.now += 10;
    await take(site, 16);
    expect(lasts(site, 16)).toBe(300);
    site.now += 140;
    expect(await site.renew(mac(16), address(16))).toBe('ack 10.77.0.116');
    expect(lasts(site, 16)).toBe(3600);
  });

  test('is not made shorter by asking again: the answer may get lost', async () => {
    const site = new RuleSite({ subnet: twenty });
    for (let n = 0; n < 16; n++) await take(site, n);
    site.now += 5;
    await take(site, 3);
    expect(lasts(site, 3)).toBe(3595);
  });

  test('says so in the offer, in the ACK and in the timeline', async () => {
    const site = new RuleSite({ subnet: twenty });
    for (let n = 0; n < 15; n++) await take(site, n);
    const seen = request(mac(15), { messageType: 'discover' });
    const offer = site.decide(seen);
    if (offer.kind !== 'reply') throw new Error(offer.kind);
    const times = (['leaseTime', 'renewalTime', 'rebindingTime'] as const).map((name) =>
      getOption(offer.message.options, name),
    );
    expect(times).toEqual([300, 150, 262]);
    expect(offer.step.text).toBe('offered 10.77.0.115 (free, for 300 s first: the pool fills up)');
  });

  test('is whole for a registered machine, and where leases are shorter anyway', async () => {
    const site = new RuleSite({ subnet: twenty, machines: [node] });
    for (let n = 0; n < 16; n++) await take(site, n);
    await take(site, 0, NODE);
    expect(lasts(site, 16)).toBe(3600);
    const brief = new RuleSite({ subnet: { ...twenty, leaseSeconds: 120 } });
    for (let n = 0; n < 16; n++) await take(brief, n);
    expect(lasts(brief, 15)).toBe(120);
  });

  test('so a flood that has ended is over five minutes later', async () => {
    const site = new RuleSite({ subnet: twenty });
    for (let n = 0; n < 15; n++) await take(site, n);
    for (let n = 100; n < 200; n++) await take(site, n);
    expect(await take(site, 50)).toBe('none');
    site.now += 300;
    expect(await take(site, 50)).toBe('ack 10.77.0.115');
  });
});

describe('leasesPerPort', () => {
  const limited: Partial<Subnet> = { leasesPerPort: 2 };

  async function at(site: RuleSite, port: string, from: string): Promise<string> {
    const options = { relayAgent: new Map([[1, utf8(port)]]) };
    const fields = { giaddr: RELAY };
    const offer = await site.play(request(from, { messageType: 'discover', ...options }, fields));
    const requestedAddress = /^offer (\S+)$/.exec(offer)?.[1];
    if (requestedAddress === undefined) return offer;
    const selected = { serverId: identity.address, requestedAddress: ip(requestedAddress) };
    return await site.play(request(from, { messageType: 'request', ...selected, ...options }, fields));
  }

  test('a port that invents machines gets so many addresses, the next port its own', async () => {
    const site = new RuleSite({ subnet: limited });
    const answers: string[] = [];
    for (let n = 0; n < 50; n++) answers.push(await at(site, 'Gi1/0/7', mac(n)));
    expect(answers.slice(0, 3)).toEqual([
      'ack 10.77.0.100',
      'ack 10.77.0.101',
      'silence: unknown machines at its port have 2 addresses already (leasesPerPort: 2)',
    ]);
    expect(new Set(answers.slice(2)).size).toBe(1);
    expect(await at(site, 'Gi1/0/8', mac(60))).toBe('ack 10.77.0.102');
    // Without an offer, by asking for an address.
    const relayAgent = new Map([[1, utf8('Gi1/0/7')]]);
    const direct = { messageType: 'request', serverId: identity.address, requestedAddress: address(9) } as const;
    expect(await site.play(request(mac(61), { ...direct, relayAgent }, { giaddr: RELAY }))).toBe(
      'nak: unknown machines at its port have 2 addresses already (leasesPerPort: 2)',
    );
  });

  test('who has an address asks again and moves; an address given back makes room', async () => {
    const site = new RuleSite({ subnet: limited });
    await at(site, 'a', mac(1));
    await at(site, 'a', mac(2));
    expect(await at(site, 'a', mac(1))).toBe('ack 10.77.0.100');
    expect(await site.renew(mac(1), FIRST)).toBe('ack 10.77.0.100');
    // It was plugged in elsewhere.
    expect(await at(site, 'b', mac(2))).toBe('ack 10.77.0.101');
    expect(await at(site, 'a', mac(3))).toBe('ack 10.77.0.102');
    expect(await at(site, 'a', mac(4))).toMatch(/^silence/);
    await site.release(mac(3), address(2));
    expect(await at(site, 'a', mac(4))).toBe('ack 10.77.0.103');
    site.now += site.subnet.leaseSeconds;
    await site.discover(mac(9));
    expect(await at(site, 'a', mac(5))).toMatch(/^ack/);
  });

  test('registered machines do not count', async () => {
    const site = new RuleSite({ subnet: limited, machines: [node] });
    await at(site, 'a', mac(1));
    await at(site, 'a', mac(2));
    expect(await at(site, 'a', NODE)).toMatch(/^ack/);
  });
});
