import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { classifyDhcp } from '../../../server/decide/classify.js';
import { selectSubnet } from '../../../server/decide/subnet.js';
import { decodePacket, encodePacket, replyLimit } from '../../../server/wire/dhcp/packet.js';
import { printPacket } from '../../../server/wire/dhcp/print.js';
import { WireError } from '../../../server/wire/wire-error.js';
import { RuleSite } from '../../support/dhcp-rules.js';
import { identity } from '../../support/dhcp-site.js';
import { readPcap } from '../../support/pcap.js';
import { survives } from '../../support/wire-codec.js';

const folder = fileURLToPath(new URL('../../fixtures/dhcp/', import.meta.url));
const golden = readdirSync(folder)
  .filter((name) => name.endsWith('.pcap'))
  .flatMap((name) => readPcap(folder + name).map(({ payload }) => payload));

/** FUZZ_RUNS=1000000 for a long night. */
const runs = { numRuns: Number(process.env.FUZZ_RUNS ?? 3_000), seed: 20261121 };
/** A packet with its answer takes 0.3 ms; ten times that on a busy machine. */
const LIMIT_MS = 60_000 + 3 * runs.numRuns;

describe('whatever comes in, only WireError comes out', () => {
  test(
    'random bytes after a valid beginning',
    () => {
      const head = golden[0]?.subarray(0, 240) ?? new Uint8Array();
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 400 }), (tail) => {
          survives(Uint8Array.of(...head, ...tail), everything);
        }),
        runs,
      );
    },
    LIMIT_MS,
  );

  test(
    'captured packets with some bytes changed',
    () => {
      const change = fc.record({ at: fc.nat({ max: 600 }), to: fc.nat({ max: 255 }) });
      fc.assert(
        fc.property(fc.constantFrom(...golden), fc.array(change, { minLength: 1, maxLength: 8 }), (packet, changes) => {
          const bytes = packet.slice();
          for (const { at, to } of changes) if (at < bytes.length) bytes[at] = to;
          survives(bytes, everything);
        }),
        runs,
      );
    },
    LIMIT_MS,
  );
});

const site = new RuleSite();

/** Every pure step a packet goes through, from its bytes to the bytes of the answer. */
function everything(bytes: Uint8Array): void {
  const packet = decodePacket(bytes);
  expect(printPacket(packet).length).toBeGreaterThan(0);
  const again = decodePacket(encodePacket(packet, 65_000));
  expect({ ...again, options: new Map(again.options) }).toEqual({ ...packet, options: new Map(packet.options) });
  classifyDhcp(packet);
  selectSubnet(packet, {
    subnets: [site.subnet],
    interfaceAddresses: [identity.address],
    ownAddresses: [identity.address],
  });
  const decision = site.decide(packet);
  if (decision.kind === 'reply') {
    const limit = replyLimit(packet);
    expect(answerOrWireError(() => encodePacket(decision.message, limit))).toBeLessThanOrEqual(limit);
  }
}

/** An answer that does not fit into what the client takes is refused whole, by name. */
function answerOrWireError(encode: () => Uint8Array): number {
  try {
    return encode().length;
  } catch (error) {
    if (error instanceof WireError) return 0;
    throw error;
  }
}
