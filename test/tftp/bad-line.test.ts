import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lossyRelay } from '../support/lossy-relay.js';
import { fetchTftp } from '../support/tftp-client.js';
import { seededBytes } from '../support/tftp-random.js';
import { type TftpRig, TRANSPORTS, tftpRig } from '../support/tftp-rig.js';

describe.each(TRANSPORTS)('%s', (transport) => {
  let rig: TftpRig;

  beforeEach(async () => {
    rig = await tftpRig({
      transport,
      timing: { first: 100, margin: 20, longest: 200, resends: 20, resendsUnanswered: 20 },
    });
  });
  afterEach(() => rig.close());

  const lines = [
    { lost: 0.1, doubled: 0, late: 0 },
    { lost: 0, doubled: 0.3, late: 0 },
    { lost: 0, doubled: 0, late: 0.5 },
    { lost: 0.05, doubled: 0.1, late: 0.1 },
  ];
  test.each(lines.flatMap((line) => [1, 8].map((windowsize) => ({ ...line, windowsize }))))(
    'whole over a line with $lost lost, $doubled doubled, $late late, window $windowsize',
    async ({ windowsize, ...line }) => {
      const bytes = seededBytes(windowsize, 150_001);
      await rig.put('f', bytes);
      const relay = await lossyRelay(rig.server.port, { ...line, seed: 42 });
      const fetched = await fetchTftp(relay.port, 'f', { blksize: 1428, windowsize, tsize: 0 }, { patience: 60 });
      expect(fetched.bytes.equals(bytes)).toBe(true);
      // In lock-step a doubled packet must not double what follows it: the sorcerer's apprentice.
      if (line.lost === 0 && line.late === 0 && windowsize === 1) expect(fetched.packets).toBeLessThan(106 * 1.6);
      await relay.close();
    },
    20_000,
  );

  test('more than 65,535 blocks over a line that loses and doubles', async () => {
    const bytes = seededBytes(3, 65_540 * 8 + 5);
    await rig.put('f', bytes);
    const relay = await lossyRelay(rig.server.port, { lost: 0.0005, doubled: 0.001, late: 0, seed: 7 });
    const fetched = await fetchTftp(relay.port, 'f', { blksize: 8, windowsize: 16 }, { patience: 60 });
    expect(fetched.bytes.equals(bytes)).toBe(true);
    // Answers to blocks that came twice must not let whole windows come again.
    expect(fetched.packets).toBeLessThan(65_541 * 1.1);
    await relay.close();
  }, 60_000);
});
