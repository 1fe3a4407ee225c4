import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { classifyDhcp } from '../../../server/decide/classify.js';
import { decodePacket, encodePacket } from '../../../server/wire/dhcp/packet.js';
import { printPacket } from '../../../server/wire/dhcp/print.js';
import { expectGolden } from '../../support/dhcp-golden.js';
import { readPcap } from '../../support/pcap.js';
import { cutAtEveryLength } from '../../support/wire-codec.js';

const folder = fileURLToPath(new URL('../../fixtures/dhcp/', import.meta.url));
const captures = readdirSync(folder).filter((name) => name.endsWith('.pcap'));

// How each was made: test/fixtures/dhcp/README.md. UPDATE_GOLDEN=1 rewrites the texts.
describe.each(captures)('%s', (name) => {
  const datagrams = readPcap(folder + name);

  test('reads as the text beside it', () => {
    const text = datagrams.map(({ route, payload }, i) => {
      const packet = decodePacket(payload);
      const facts = packet.op === 'request' ? `classified ${JSON.stringify(classifyDhcp(packet))}\n` : '';
      return `# ${i + 1}: ${route}, ${payload.length} bytes\n${printPacket(packet)}${facts}`;
    });
    expectGolden(`${folder}${name.replace('.pcap', '.txt')}`, text.join('\n'));
  });

  test('survives encode and decode', () => {
    for (const { payload } of datagrams) {
      const packet = decodePacket(payload);
      expect(decodePacket(encodePacket(packet))).toEqual(packet);
    }
  });

  test('cut at every length gives a packet or a WireError', () => {
    // Only a cut between two options leaves a packet; there are a few dozen of them at most, and none before the cookie.
    for (const { payload } of datagrams) {
      expect(cutAtEveryLength(payload.subarray(0, 240), decodePacket)).toBe(0);
      expect(cutAtEveryLength(payload, decodePacket)).toBeLessThan(payload.length - 239);
    }
  });
});

test('there is a capture of every kind of client', () => {
  expect(captures).toEqual(
    expect.arrayContaining(
      ['seabios-ipxe-rom', 'undionly', 'ovmf-pxe', 'ovmf-http', 'ovmf-secure-boot', 'udhcpc', 'dhclient'].map(
        (name) => `${name}.pcap`,
      ),
    ),
  );
});
