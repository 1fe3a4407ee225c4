import { expect, test } from 'vitest';
import type { Ipv4 } from '../../server/domain/ipv4.js';
import { parseMac } from '../../server/domain/mac.js';
import { HOSTILE, honestPackets, startAttacked } from '../support/dhcp-attack.js';

/*
 * What a hostile packet costs this process, all its threads and the store, beside an honest one: processor time, so that other work
 * of the machine does not count. An honest machine asks after every 500 hostile packets.
 */

/** HOSTILE_PACKETS=100000 for a long one. */
const PACKETS = Number(process.env.HOSTILE_PACKETS ?? 20_000);
const HONEST_EVERY = 500;
const real = Array.from({ length: 50 }, (_, n) => `52:54:00:00:00:${n.toString(16).padStart(2, '0')}`);

test('hostile packets beside honest ones', async () => {
  const machines = real.map((mac) => ({ name: mac.replaceAll(':', ''), macs: [parseMac(mac)], labels: {} }));
  let now = 1_000_000;
  const site = await startAttacked(machines, () => now);
  const spent = async (work: () => Promise<void> | void): Promise<number> => {
    const before = process.cpuUsage();
    await work();
    await site.settled();
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  const taken: Ipv4[] = [];
  const honest = async (): Promise<void> => {
    for (const mac of real) {
      const address = await site.exchange(mac);
      expect(address).toBeDefined();
      if (address !== undefined && !taken.includes(address)) taken.push(address);
    }
  };
  const rounds = 40;
  await honest();
  // As they come in a storm: many exchanges wait for the disk together.
  const packets = real.flatMap((mac, index) => honestPackets(mac, taken[index] ?? expect.fail(mac)));
  const whole = await spent(async () => {
    for (let round = 0; round < rounds; round++) {
      now += 60_000;
      for (const bytes of packets) site.packet(bytes);
      await site.settled();
    }
  });
  const one = whole / (rounds * packets.length);
  const line = (what: string, microseconds: number): void => {
    process.stdout.write(
      `${what.padEnd(36)} ${microseconds.toFixed(1).padStart(8)} us, ${(microseconds / one).toFixed(2)} x\n`,
    );
  };
  line('an honest packet', one);
  let sent = 0;
  let served = 0;
  let unserved = 0;
  for (const [what, hostile] of Object.entries(HOSTILE)) {
    now += 60_000;
    // Made before: what the attacker does is not our cost.
    const attack = Array.from({ length: Math.min(PACKETS, what.startsWith('65') ? 500 : PACKETS) }, () =>
      hostile(sent++, taken),
    );
    let apart = 0;
    const all = await spent(async () => {
      for (const [index, bytes] of attack.entries()) {
        site.packet(bytes);
        if (index % HONEST_EVERY !== 0) continue;
        now += 1000;
        await site.settled();
        apart += await spent(async () => {
          if ((await site.exchange(real[served % real.length] ?? '')) === undefined) unserved++;
          else served++;
        });
      }
    });
    line(what, (all - apart) / attack.length);
  }
  process.stdout.write(`honest machines served meanwhile: ${served} of ${served + unserved}\n`);
  expect(unserved).toBe(0);
  expect(taken.every((address) => real.includes(site.leases.leaseAt(address)?.mac ?? ''))).toBe(true);
  await site.close();
});
