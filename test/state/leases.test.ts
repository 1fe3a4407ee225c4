import { describe, expect, test } from 'vitest';
import { type AddressRange, formatIpv4, type Ipv4, parseCidr, parseRange } from '../../server/domain/ipv4.js';
import type { Lease } from '../../server/domain/lease.js';
import { type Mac, parseMac } from '../../server/domain/mac.js';
import type { Machine } from '../../server/domain/machine.js';
import type { Subnet } from '../../server/domain/site.js';
import { AddressPool, withoutRanges } from '../../server/state/address-pool.js';
import { HOLD_SECONDS } from '../../server/state/holds.js';
import { LeaseBook, type LeaseStore } from '../../server/state/leases.js';
import { ip } from '../support/dhcp-packets.js';
import { MemoryLeases } from '../support/dhcp-rules.js';
import { subnet } from '../support/dhcp-site.js';

// More than 300 lines: one book of leases; the cases share its small pool.

const A = parseMac('52:54:00:00:00:0a');
const B = parseMac('52:54:00:00:00:0b');
const FIRST = ip('10.77.0.100');
const NOW = 1_000_000;
const mac = (n: number): Mac => parseMac((0x525400000000 + n).toString(16));
const lease = (address: Ipv4, owner: Mac, over: Partial<Lease> = {}): Lease => ({
  address,
  mac: owner,
  state: 'active',
  startedAt: NOW,
  expiresAt: NOW + 3600,
  ...over,
});

function book(
  over: {
    readonly pools?: readonly AddressRange[];
    readonly subnet?: Partial<Subnet>;
    readonly leases?: readonly Lease[];
    readonly reserved?: ReadonlyMap<Ipv4, Machine>;
    readonly store?: LeaseStore;
  } = {},
): { readonly leases: LeaseBook; readonly net: Subnet } {
  const net = subnet({ ...(over.pools === undefined ? {} : { pools: over.pools }), ...over.subnet });
  const leases = new LeaseBook({
    leases: over.leases ?? [],
    subnets: [net],
    excluded: [ip('10.77.0.1')],
    reservedFor: (address) => over.reserved?.get(address),
    store: over.store ?? new MemoryLeases(),
  });
  return { leases, net };
}

/** A store whose answers the test gives, one call after the other. */
class HeldStore implements LeaseStore {
  readonly calls: {
    readonly lease: Lease;
    readonly expected: Lease | undefined;
    answer(outcome: 'ok' | 'conflict'): void;
    fail(error: Error): void;
  }[] = [];

  claimLease(lease: Lease, expected: Lease | undefined): Promise<'ok' | 'conflict'> {
    return new Promise((resolve, reject) => {
      this.calls.push({ lease, expected, answer: resolve, fail: reject });
    });
  }

  /** What another server wrote. */
  written: Lease | undefined;

  async lease(): Promise<Lease | undefined> {
    return this.written;
  }
}

test('how full the pools are: live leases and quarantines in them, not reservations beside them', () => {
  const lease = (address: string, over: Partial<Lease> = {}): Lease => ({
    address: ip(address),
    mac: parseMac('52:54:00:00:00:01'),
    state: 'active',
    startedAt: 0,
    expiresAt: 100,
    ...over,
  });
  const { leases } = book({
    leases: [
      lease('10.77.0.100'),
      lease('10.77.0.101', { state: 'declined' }),
      lease('10.77.0.102', { state: 'released' }),
      lease('10.77.0.103', { expiresAt: 50 }),
      lease('10.77.0.11'),
    ],
  });
  expect(leases.usage(50)).toMatchObject([{ size: 101, used: 2 }]);
  expect(leases.usage(101)).toMatchObject([{ size: 101, used: 0 }]);
});

describe('a change and the store', () => {
  test('is seen at once by packets that follow, and only promised when durable', async () => {
    const store = new HeldStore();
    const { leases } = book({ store });
    let done = false;
    const saving = leases.save({ lease: lease(FIRST, A), expected: undefined }, NOW).then((outcome) => {
      done = true;
      return outcome;
    });
    expect(leases.leaseAt(FIRST)?.mac).toBe(A);
    await Promise.resolve();
    expect(done).toBe(false);
    store.calls[0]?.answer('ok');
    expect(await saving).toBe('ok');
  });

  test('a failing store leaves everything as it was', async () => {
    const store = new HeldStore();
    const before = lease(FIRST, A);
    const { leases } = book({ store, leases: [before] });
    const saving = leases.save({ lease: lease(FIRST, A, { expiresAt: NOW + 9999 }), expected: before }, NOW);
    store.calls[0]?.fail(new Error('disk full'));
    await expect(saving).rejects.toThrow('disk full');
    expect(leases.leaseAt(FIRST)).toBe(before);

    const fresh = leases.save({ lease: lease(ip('10.77.0.101'), B), expected: undefined }, NOW);
    store.calls[1]?.fail(new Error('disk full'));
    await expect(fresh).rejects.toThrow('disk full');
    expect([leases.leaseAt(ip('10.77.0.101')), leases.addressOf(B)]).toEqual([undefined, undefined]);
  });

  test('after a conflict the other server’s lease holds here too: another address is found, and later changes succeed', async () => {
    const store = new HeldStore();
    const theirs = lease(FIRST, B, { expiresAt: NOW + 60 });
    store.written = theirs;
    const { leases, net } = book({ store });
    const saving = leases.save({ lease: lease(FIRST, A), expected: undefined }, NOW);
    store.calls[0]?.answer('conflict');
    expect(await saving).toBe('conflict');
    expect([leases.addressOf(A), leases.addressOf(B)]).toEqual([undefined, FIRST]);
    expect(leases.free(net, NOW)).toBe(ip('10.77.0.101'));
    const renewed = lease(FIRST, B, { expiresAt: NOW + 3660 });
    const renewing = leases.save({ lease: renewed, expected: leases.leaseAt(FIRST) }, NOW + 30);
    expect(store.calls[1]).toMatchObject({ expected: theirs });
    store.calls[1]?.answer('ok');
    expect(await renewing).toBe('ok');
  });

  test('a repeated REQUEST while the first is on its way: both are told ok, in order', async () => {
    const store = new MemoryLeases();
    const { leases } = book({ store });
    const first = lease(FIRST, A);
    const second = lease(FIRST, A, { expiresAt: NOW + 3601 });
    const both = [
      leases.save({ lease: first, expected: undefined }, NOW),
      leases.save({ lease: second, expected: first }, NOW),
    ];
    expect(await Promise.all(both)).toEqual(['ok', 'ok']);
    expect(store.rows.get(FIRST)).toBe(second);
  });

  test('a repeated REQUEST whose predecessor failed is no conflict with another server', async () => {
    const store = new HeldStore();
    const { leases } = book({ store });
    const first = lease(FIRST, A);
    const second = lease(FIRST, A, { expiresAt: NOW + 3601 });
    const one = leases.save({ lease: first, expected: undefined }, NOW);
    const two = leases.save({ lease: second, expected: first }, NOW);
    store.calls[0]?.fail(new Error('busy'));
    await expect(one).rejects.toThrow('busy');
    store.calls[1]?.answer('conflict');
    await expect.poll(() => store.calls.length).toBe(3);
    expect(store.calls[2]).toMatchObject({ lease: second, expected: undefined });
    store.calls[2]?.answer('ok');
    expect(await two).toBe('ok');
    expect(leases.leaseAt(FIRST)).toBe(second);
  });
});

describe('free addresses', () => {
  test('each of a pool once, then those whose offer is oldest', () => {
    const { leases, net } = book({ pools: [parseRange('10.77.0.100-10.77.0.102')] });
    const offered = Array.from({ length: 5 }, (_, i) => {
      const address = leases.free(net, NOW + i) ?? ip('0.0.0.0');
      leases.hold(address, mac(i), NOW + i);
      return formatIpv4(address).split('.')[3];
    });
    expect(offered).toEqual(['100', '101', '102', '100', '101']);
  });

  test('when all rest in quarantine the one that rests longest is offered; an offer that is wanted stays', async () => {
    const { leases, net } = book({ pools: [parseRange('10.77.0.100-10.77.0.102')] });
    const rest = (address: string, at: number) =>
      leases.save({ lease: lease(ip(address), A, { state: 'declined', startedAt: at }), expected: undefined }, at);
    await rest('10.77.0.101', NOW);
    await rest('10.77.0.100', NOW + 1);
    leases.hold(ip('10.77.0.102'), B, NOW + 2);
    const next = (at: number) => formatIpv4(leases.free(net, at) ?? ip('0.0.0.0'));
    expect(next(NOW + 3)).toBe('10.77.0.101');
    leases.hold(ip('10.77.0.101'), mac(1), NOW + 3);
    expect(next(NOW + 4)).toBe('10.77.0.100');
    // An offer that nobody took for ten seconds is not wanted.
    expect(next(NOW + 12)).toBe('10.77.0.102');
    leases.hold(ip('10.77.0.102'), mac(2), NOW + 12);
    leases.hold(ip('10.77.0.100'), mac(3), NOW + 12);
    expect(next(NOW + 12)).toBe('10.77.0.101');
  });

  test('offers of one subnet are not looked through for another', () => {
    const net = subnet({ pools: [parseRange('10.77.0.100-10.77.0.100')] });
    const other = subnet({ cidr: parseCidr('10.64.0.0/16'), pools: [parseRange('10.64.0.10-10.64.255.250')] });
    const leases = new LeaseBook({
      leases: [],
      subnets: [net, other],
      excluded: [],
      reservedFor: () => undefined,
      store: new MemoryLeases(),
    });
    for (let i = 0; i < 1000; i++) leases.hold((ip('10.64.0.10') + i) as Ipv4, mac(i), NOW);
    leases.hold(FIRST, A, NOW + 1);
    expect(leases.free(net, NOW + 2)).toBe(FIRST);
    leases.hold(FIRST, B, NOW + 2);
    expect([leases.free(net, NOW + 3), leases.holderOf(FIRST, NOW + 3)]).toEqual([FIRST, B]);
  });

  test('one flooding NIC holds one address', () => {
    const { leases, net } = book({ pools: [parseRange('10.77.0.100-10.77.0.102')] });
    for (const address of ['10.77.0.100', '10.77.0.101', '10.77.0.102']) leases.hold(ip(address), A, NOW);
    expect(leases.heldBy(A, net, NOW)).toBe(ip('10.77.0.102'));
    expect(leases.free(net, NOW)).toBe(FIRST);
  });

  test('several pools of a subnet, one after the other', () => {
    const { leases, net } = book({
      pools: [parseRange('10.77.0.100-10.77.0.100'), parseRange('10.77.0.50-10.77.0.50')],
    });
    leases.hold(FIRST, A, NOW);
    expect(leases.free(net, NOW)).toBe(ip('10.77.0.50'));
  });

  test('the one that has rested longest comes back first', async () => {
    const { leases, net } = book({ pools: [parseRange('10.77.0.100-10.77.0.102')] });
    const ends = [300, 100, 200];
    for (const [i, seconds] of ends.entries()) {
      await leases.save(
        { lease: lease((FIRST + i) as Ipv4, mac(i), { expiresAt: NOW + seconds }), expected: undefined },
        NOW,
      );
    }
    expect(leases.free(net, NOW + 99)).toBeUndefined();
    expect(leases.free(net, NOW + 1000)).toBe(ip('10.77.0.101'));
  });

  test('a removed reservation is found by the rescan of a full pool', () => {
    const reserved = new Map<Ipv4, Machine>([[FIRST, { name: 'n', macs: [A], labels: {} }]]);
    const { leases, net } = book({ pools: [parseRange('10.77.0.100-10.77.0.100')], reserved });
    expect(leases.free(net, NOW)).toBeUndefined();
    reserved.clear();
    expect(leases.free(net, NOW + 61)).toBe(FIRST);
  });

  test('after a restart: leases that live are kept, ended and released ones can be given again', () => {
    const { leases, net } = book({
      pools: [parseRange('10.77.0.100-10.77.0.102')],
      leases: [
        lease(FIRST, mac(1)),
        lease(ip('10.77.0.101'), mac(2), { expiresAt: NOW - 1 }),
        lease(ip('10.77.0.102'), mac(3), { state: 'released', expiresAt: NOW - 1 }),
      ],
    });
    const given = new Set<string>();
    for (let i = 10; i < 12; i++) {
      const address = leases.free(net, NOW) ?? ip('0.0.0.0');
      leases.hold(address, mac(i), NOW);
      given.add(formatIpv4(address));
    }
    expect([...given].sort()).toEqual(['10.77.0.101', '10.77.0.102']);
    expect(leases.addressOf(mac(1))).toBe(FIRST);
  });

  test('65,000 offers out of a /16 cost no more each than the first hundred', () => {
    const cidr = parseCidr('10.0.0.0/16');
    const { leases, net } = book({
      subnet: { cidr, pools: [parseRange('10.0.0.2-10.0.255.254')], router: ip('10.0.0.1') },
    });
    const seen = new Set<Ipv4>();
    for (let i = 0; i < 65_000; i++) {
      const address = leases.free(net, NOW);
      if (address === undefined) break;
      seen.add(address);
      leases.hold(address, mac(i), NOW);
    }
    expect(seen.size).toBe(65_000);
    expect(leases.free(net, NOW + HOLD_SECONDS)).toBeDefined();
  });
});

describe('pools by kind, and exclusions', () => {
  const pool = (text: string, kind?: 'known' | 'unknown') => ({
    ...parseRange(text),
    ...(kind === undefined ? {} : { for: kind }),
  });
  const take = (leases: LeaseBook, net: Subnet, known: boolean, count: number): string[] =>
    Array.from({ length: count }, (_, i) => {
      const address = leases.free(net, NOW, known);
      if (address !== undefined) leases.hold(address, mac(i + (known ? 100 : 0)), NOW);
      return address === undefined ? 'none' : (formatIpv4(address).split('.')[3] ?? '');
    });

  test('known and unknown machines have pools of their own, and share the rest', () => {
    const { leases, net } = book({
      pools: [
        pool('10.77.0.10-10.77.0.10'),
        pool('10.77.0.20-10.77.0.20', 'known'),
        pool('10.77.0.30-10.77.0.30', 'unknown'),
      ],
    });
    expect(take(leases, net, true, 2)).toEqual(['20', '10']);
    expect(take(leases, net, false, 1)).toEqual(['30']);
    expect([leases.inPool(ip('10.77.0.20'), false), leases.inPool(ip('10.77.0.20'), true)]).toEqual([false, true]);
  });

  test('a flood of unknown machines never gets what is offered to known ones', () => {
    const { leases, net } = book({ pools: [pool('10.77.0.20-10.77.0.20', 'known')] });
    expect(take(leases, net, true, 1)).toEqual(['20']);
    expect(leases.free(net, NOW, false)).toBeUndefined();
  });

  test('excluded addresses and ranges are left out', () => {
    const { leases, net } = book({
      pools: [pool('10.77.0.10-10.77.0.16')],
      subnet: {
        exclude: [parseRange('10.77.0.11-10.77.0.12'), pool('10.77.0.14-10.77.0.14'), pool('10.77.0.9-10.77.0.10')],
      },
    });
    expect(take(leases, net, false, 3)).toEqual(['13', '15', '16']);
    expect(leases.inPool(ip('10.77.0.12'), false)).toBe(false);
  });

  test('a /12 with 500 exclusions: what is given is none of them, and no address is looked at twice', () => {
    const exclude = Array.from({ length: 500 }, (_, i) => {
      const first = (ip('10.16.0.8') + i * 1024) as Ipv4;
      return { first, last: (first + 511) as Ipv4 };
    });
    const given = new Set<Ipv4>();
    let looks = 0;
    const isUnused = (address: Ipv4): boolean => {
      looks += 1;
      return !given.has(address);
    };
    const pool = new AddressPool(withoutRanges([parseRange('10.16.0.2-10.31.255.254')], exclude));
    for (let i = 0; i < 64_000; i++) {
      const address = pool.peek(isUnused, isUnused, NOW) ?? ip('0.0.0.0');
      if (exclude.some(({ first, last }) => address >= first && address <= last)) expect.fail(formatIpv4(address));
      given.add(address);
    }
    expect(given.size).toBe(64_000);
    // Once when it is found, once more to see that it was taken: neither pool nor exclusions nor leases are walked.
    expect(looks).toBeLessThanOrEqual(2 * 64_000);
  });
});

test('release by hand: a lease and a quarantine end, and the address is found again', async () => {
  const store = new MemoryLeases();
  const held = [lease(FIRST, A), lease(ip('10.77.0.101'), B, { state: 'declined' })];
  for (const one of held) store.rows.set(one.address, one);
  const { leases, net } = book({ leases: held, store, pools: [parseRange('10.77.0.100-10.77.0.101')] });
  expect(leases.free(net, NOW)).toBe(ip('10.77.0.101')); // in quarantine, and the last one
  expect(await leases.release(FIRST, NOW)).toMatchObject({ state: 'released', expiresAt: NOW });
  expect(leases.free(net, NOW)).toBe(FIRST);
  expect(await leases.release(ip('10.77.0.101'), NOW)).toMatchObject({ state: 'released' });
  expect(await leases.release(ip('10.77.0.99'), NOW)).toBeUndefined();
  expect(store.rows.get(FIRST)?.state).toBe('released');
});

describe('a machine with a static address renews by heartbeats', () => {
  test('writes only when half of the time is over, and also revives an ended lease', async () => {
    const store = new MemoryLeases();
    const before = lease(FIRST, A);
    store.rows.set(FIRST, before);
    const { leases } = book({ store, leases: [before] });
    expect(await leases.renew(A, NOW + 1000)).toBe(true);
    expect(store.rows.get(FIRST)).toBe(before);
    expect(await leases.renew(A, NOW + 1801)).toBe(true);
    expect(store.rows.get(FIRST)?.expiresAt).toBe(NOW + 1801 + 3600);
    expect(await leases.renew(A, NOW + 9000)).toBe(true);
    expect(leases.leaseAt(FIRST)?.expiresAt).toBe(NOW + 9000 + 3600);
  });

  test('not without a lease, and not when another NIC has the address now', async () => {
    const { leases } = book({ leases: [lease(FIRST, A)] });
    expect(await leases.renew(B, NOW)).toBe(false);
    leases.hold(FIRST, B, NOW + 3700);
    expect(await leases.renew(A, NOW + 3701)).toBe(false);
  });
});

describe('the configuration is read again', () => {
  test('leases and offers stay; new addresses come from the new pool', async () => {
    const { leases, net } = book();
    await leases.save({ lease: lease(FIRST, A), expected: undefined }, NOW);
    leases.hold(ip('10.77.0.101'), B, NOW);
    const other = { ...net, pools: [parseRange('10.77.0.101-10.77.0.110')] };
    leases.configure([other]);
    expect(leases.leaseAt(FIRST)).toMatchObject({ mac: A, state: 'active' });
    expect(leases.holderOf(ip('10.77.0.101'), NOW)).toBe(B);
    expect(leases.inPool(FIRST, false)).toBe(false);
    expect(formatIpv4(leases.free(other, NOW) ?? ip('0.0.0.0'))).toBe('10.77.0.102');
    // The lease outside the new pool is extended by heartbeats as before.
    expect(await leases.renew(A, NOW + 3000)).toBe(true);
  });

  test('a save that is on its way arrives', async () => {
    const store = new HeldStore();
    const { leases, net } = book({ store });
    const saving = leases.save({ lease: lease(FIRST, A), expected: undefined }, NOW);
    leases.configure([{ ...net, leaseSeconds: 60 }]);
    store.calls[0]?.answer('ok');
    expect(await saving).toBe('ok');
    expect(leases.leaseAt(FIRST)?.mac).toBe(A);
  });
});
