import { describe, expect, onTestFinished, test } from 'vitest';
import type { HeardReply } from '../../server/dhcp/reply-listener.js';
import { WireWatch } from '../../server/dhcp/wire-watch.js';
import type { DhcpMode } from '../../server/domain/site.js';
import { encodePacket } from '../../server/wire/dhcp/packet.js';
import { ip, request } from '../support/dhcp-packets.js';
import { identity, subnet } from '../support/dhcp-site.js';

const HOUR = 3600_000;
const rival = ip('10.77.0.2');
const offer = (server = rival): HeardReply => ({
  bytes: encodePacket({ ...request('52:54:00:00:00:01', { messageType: 'offer', serverId: server }), op: 'reply' }),
  from: server,
});

/** A watch on paper: replies are put in, time is set. */
function watch(mode: DhcpMode): {
  readonly hear: (...replies: HeardReply[]) => void;
  readonly events: string[];
  readonly watch: WireWatch;
  at: (ms: number) => void;
} {
  let now = 0;
  const waiting: HeardReply[] = [];
  const events: string[] = [];
  const it = new WireWatch({
    record: ({ kind, level, data }) => events.push(`${kind} ${level} ${String(data.address)}`),
    clock: () => now,
    log: { warn: () => undefined },
    openListener: () => ({ read: () => waiting.splice(0), close: () => undefined }),
  });
  it.start([{ name: 'eth0', mode }], { ownAddresses: [identity.address], subnets: [subnet()] });
  onTestFinished(() => it.stop());
  const hear = (...replies: HeardReply[]): void => {
    waiting.push(...replies);
    it.poll();
  };
  const at = (ms: number): void => {
    now = ms;
  };
  return { hear, events, watch: it, at };
}

describe('another DHCP server', () => {
  test('in full mode: a warning, once an hour', () => {
    const { hear, events, at } = watch('full');
    hear(offer(), offer());
    at(HOUR - 1);
    hear(offer());
    expect(events).toEqual(['dhcp.server-seen warning 10.77.0.2']);
    at(HOUR);
    hear(offer(), offer());
    expect(events).toHaveLength(2);
  });

  test.each(['observe', 'proxy'] as const)('in mode %s: told once, then counted', (mode) => {
    const { hear, events, at, watch: it } = watch(mode);
    for (let hour = 0; hour < 5; hour++) {
      at(hour * HOUR);
      hear(offer());
    }
    expect(events).toEqual(['dhcp.server-seen info 10.77.0.2']);
    expect([...it.seen()]).toMatchObject([{ count: 5, firstSeenAt: 0, lastSeenAt: 4 * HOUR }]);
  });

  test('off: nothing is listened to', () => {
    const { hear, events } = watch('off');
    hear(offer());
    expect(events).toEqual([]);
  });

  test('broken replies and our own are nothing', () => {
    const { hear, events } = watch('full');
    hear({ bytes: Uint8Array.of(2, 1, 6), from: rival }, offer(identity.address));
    expect(events).toEqual([]);
  });

  test('whoever invents servers fills no memory', () => {
    const { hear, events, watch: it } = watch('observe');
    for (let n = 0; n < 5000; n++) hear(offer(ip(`10.${(n >> 8) & 255}.${n & 255}.9`)));
    expect([events.length, [...it.seen()].length]).toEqual([64, 512]);
    // The newest are known, and so is a real one among them that goes on answering.
    hear(offer(), offer());
    expect([...it.seen()].at(-1)).toMatchObject({ address: rival, count: 2 });
  });
});
