import { describe, expect, test } from 'vitest';
import { DhcpMetrics } from '../../server/dhcp/dhcp-metrics.js';
import { NumberBuckets } from '../../server/dhcp/number-buckets.js';
import { PacketGuard } from '../../server/dhcp/packet-guard.js';
import { PoolWatch } from '../../server/dhcp/pool-watch.js';
import { type BucketRate, TokenBuckets } from '../../server/dhcp/token-buckets.js';
import type { NewEvent } from '../../server/domain/event.js';
import { parseCidr } from '../../server/domain/ipv4.js';
import { parseMac } from '../../server/domain/mac.js';
import { encodePacket } from '../../server/wire/dhcp/packet.js';
import { client, request } from '../support/dhcp-packets.js';

type Told = Omit<NewEvent, 'at'>;

function discover(mac: string): Uint8Array {
  return encodePacket(request(mac, { messageType: 'discover', ...client.uefi }));
}

function numbered(index: number): string {
  const tail = index.toString(16).padStart(6, '0');
  return `52:54:00:${tail.slice(0, 2)}:${tail.slice(2, 4)}:${tail.slice(4)}`;
}

const KINDS = {
  'of any key': (rate: BucketRate) => new TokenBuckets<number>(rate, 8),
  'of numbers': (rate: BucketRate) => new NumberBuckets(rate, 8),
};

describe.each(Object.entries(KINDS))('token buckets %s', (_, make) => {
  const a = 0x525400000001;

  test('give the burst, then as many as come back', () => {
    const buckets = make({ perSecond: 10, burst: 3 });
    const taken = [0, 0, 0, 0, 50, 100, 100].map((at) => buckets.take(a, at));
    expect(taken).toEqual([true, true, true, false, false, true, false]);
  });

  test('a rested bucket holds no more than the burst, and a clock that goes back gives nothing', () => {
    const buckets = make({ perSecond: 1, burst: 2 });
    buckets.take(a, 0);
    expect([60_000, 60_000, 60_000, 0].map((at) => buckets.take(a, at))).toEqual([true, true, false, false]);
  });

  test('one sender does not take the tokens of another', () => {
    const buckets = make({ perSecond: 0, burst: 1 });
    expect([a, a, a + 1, a + 1, a + 2 ** 24, 0, 0].map((key) => buckets.take(key, 0))).toEqual([
      ...[true, false, true, false],
      ...[true, true, false],
    ]);
  });
});

describe('token buckets', () => {
  test('remember a bounded number of keys, the busy one among them', () => {
    const buckets = new TokenBuckets<number>({ perSecond: 0, burst: 5 }, 100);
    let passed = 0;
    for (let i = 1; i <= 10_000; i++) {
      buckets.take(i, 0);
      if (i % 10 === 0 && buckets.take(0, 0)) passed++;
    }
    expect(buckets.size).toBeLessThanOrEqual(200);
    expect(passed).toBe(5);
  });

  test('of numbers: whoever goes on is not forgotten, however many keys come', () => {
    const buckets = new NumberBuckets({ perSecond: 0, burst: 5 }, 16);
    let passed = 0;
    for (let i = 1; i <= 10_000; i++) {
      buckets.take(0x525400000000 + i, i);
      if (buckets.take(7, i)) passed++;
    }
    expect(passed).toBe(5);
  });
});

describe('the guard', () => {
  function guarded(): { guard: PacketGuard; told: Told[]; at: (ms: number) => void } {
    const told: Told[] = [];
    let now = 0;
    const guard = new PacketGuard({ record: (event) => told.push(event), clock: () => now });
    return {
      guard,
      told,
      at: (ms) => {
        now = ms;
      },
    };
  }

  test('a storm of 5,000 machines with every packet sent three times passes', () => {
    const { guard, told } = guarded();
    for (let i = 0; i < 5000; i++) {
      const packet = discover(numbered(i));
      for (let again = 0; again < 6; again++) expect(guard.admits(packet, 'eth0')).toBe(true);
    }
    expect(told).toEqual([]);
  });

  test('one machine in a loop is dropped, told at once and then every ten seconds with the count', () => {
    const { guard, told, at } = guarded();
    const packet = discover('52:54:00:00:00:01');
    for (let ms = 0; ms <= 10_500; ms += 2) {
      at(ms);
      guard.admits(packet, 'eth0');
    }
    expect(guard.limited.mac).toBeGreaterThan(4000);
    expect(told.map(({ kind, data }) => [kind, data.sender])).toEqual([
      ['dhcp.limited', '52:54:00:00:00:01'],
      ['dhcp.limited', '52:54:00:00:00:01'],
    ]);
    expect(Number(told[1]?.data.count)).toBeGreaterThan(4000);
    expect(guard.admits(discover('52:54:00:00:00:02'), 'eth0')).toBe(true);
  });

  test('a wire that sends from ever new addresses is limited as a whole, the other wire is not', () => {
    const { guard, told } = guarded();
    for (let i = 0; i < 60_000; i++) guard.admits(discover(numbered(i)), 'eth0');
    expect(guard.limited).toEqual({ mac: 0, relay: 10_000 });
    expect(told[0]?.message).toContain('the wire of eth0');
    expect(guard.admits(discover(numbered(1)), 'eth1')).toBe(true);
  });

  test('DECLINEs: a few of one machine and of a subnet, then none is believed, and it is told', () => {
    const { guard, told, at } = guarded();
    const mac = parseMac('52:54:00:00:00:01');
    const decline = (from = mac) => guard.admitsDecline(from, '10.77.0.0/24', 'eth0');
    expect(Array.from({ length: 6 }, () => decline())).toEqual([true, true, true, true, false, false]);
    at(10_000);
    expect([decline(), decline()]).toEqual([true, false]);
    expect(told[0]).toMatchObject({ kind: 'dhcp.limited', level: 'warning', data: { sender: mac } });
    const believed = Array.from({ length: 1000 }, (_, i) => decline(parseMac(numbered(i + 16)))).filter(Boolean);
    expect(believed.length).toBeLessThan(16);
    expect(told.at(-1)?.message).toContain('all machines together in 10.77.0.0/24');
    expect(guard.admitsDecline(mac, '10.78.0.0/24', 'eth0')).toBe(false);
    expect(guard.admitsDecline(parseMac(numbered(9)), '10.78.0.0/24', 'eth0')).toBe(true);
  });

  test('broken packets are told once for each kind, whatever their number', () => {
    const { guard, told } = guarded();
    for (let i = 0; i < 1000; i++) guard.malformed(i % 2 === 0 ? 'op' : 'hlen', 'is broken', 'eth0');
    expect(told.map(({ kind, data }) => `${kind} ${data.field}`)).toEqual(['dhcp.malformed op', 'dhcp.malformed hlen']);
    // Too short to name a sender: the decoder explains it.
    expect(guard.admits(new Uint8Array(3), 'eth0')).toBe(true);
  });
});

describe('pools', () => {
  test('are told to fill at 90 %, to be full, and to have room again only under 80 %', () => {
    const told: Told[] = [];
    let used = 0;
    const watch = new PoolWatch({
      usage: () => [{ cidr: parseCidr('10.77.0.0/24'), size: 100, used }],
      record: (event) => told.push(event),
    });
    const seen = [0, 89, 90, 88, 91, 100, 99, 100, 81, 80, 85].map((now) => {
      used = now;
      told.length = 0;
      watch.check();
      return told.map(({ kind }) => kind.replace('dhcp.pool-', '')).join();
    });
    expect(seen).toEqual(['', '', 'filling', '', '', 'full', 'filling', 'full', 'filling', 'roomy', '']);
  });
});

test('the figures are lines that Prometheus reads', () => {
  const metrics = new DhcpMetrics();
  metrics.count('discover', 'offer');
  for (const ms of [0.4, 0.4, 3, 5000]) metrics.took(ms);
  const text = metrics.lines().join('\n');
  expect(text).toContain('anybios_dhcp_packets_total{type="discover",result="offer"} 1');
  expect(text).toContain('anybios_dhcp_answer_seconds_bucket{le="0.0005"} 2');
  expect(text).toContain('anybios_dhcp_answer_seconds_bucket{le="0.005"} 3');
  expect(text).toContain('anybios_dhcp_answer_seconds_bucket{le="+Inf"} 4');
  expect(text).toContain('anybios_dhcp_answer_seconds_count 4');
});
