import { expect, test } from 'vitest';
import { hostileHours } from '../support/tftp-hostile.js';
import { TRANSPORTS, tftpRig } from '../support/tftp-rig.js';

/** Ten minutes for each way of packets, or SOAK_SECONDS. */
const SECONDS = Number(process.env.SOAK_SECONDS ?? 600);
/** The first tenths fill caches and compile code. */
const WARM = 3;
const GROWTH = 1.15;

/** Shorter than in earnest, so that many dead transfers end meanwhile; long enough that a busy computer ends no live one. */
const timing = { first: 50, margin: 10, longest: 1000, resends: 8, resendsUnanswered: 2 };

test.each(TRANSPORTS)(
  '%s: memory stays flat among hostile clients',
  async (transport) => {
    const rig = await tftpRig({ transport, timing, limits: { perAddress: 200 } });
    // What the rig remembers for tests is not the server's.
    const forget = setInterval(() => {
      rig.log.length = 0;
      rig.reports.length = 0;
      rig.asked.length = 0;
      rig.refusals.length = 0;
    }, 1000);
    try {
      const { served, again, memory } = await hostileHours(rig, SECONDS * 1000, 11);
      const megabytes = memory.map((bytes) => Math.round(bytes / 1e6));
      process.stdout.write(
        `${transport}: ${served} files served, ${again} begun anew, memory at each tenth of the time: ${megabytes.join(' ')} MB\n`,
      );
      expect(again).toBeLessThanOrEqual(served / 100);
      const warm = Math.max(...megabytes.slice(0, WARM));
      expect(Math.max(...megabytes.slice(WARM))).toBeLessThan(warm * GROWTH);
    } finally {
      clearInterval(forget);
      await rig.close();
    }
  },
  SECONDS * 1000 + 60_000,
);
