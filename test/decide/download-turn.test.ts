import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DownloadAsker, decideDownloadTurn } from '../../server/decide/download-turn.js';

const at =
  (subnet: string, limit = 2) =>
  (key: string): DownloadAsker => ({ key, subnet, limit });
const [a, b] = [at('a'), at('b')];

describe('whose turn it is', () => {
  const ROWS: Readonly<
    Record<string, readonly [me: DownloadAsker, running: DownloadAsker[], ahead: DownloadAsker[], answer: object]>
  > = {
    'nobody else': [a('me'), [], [], { kind: 'go' }],
    'who loads already goes on, whatever the limits say': [
      a('me'),
      [a('1'), a('2'), b('3'), a('me')],
      [],
      { kind: 'go' },
    ],
    'its subnet is full': [a('me'), [a('1'), a('2')], [], { kind: 'wait', place: 1, seconds: 2 }],
    'another subnet is full': [b('me'), [a('1'), a('2')], [], { kind: 'go' }],
    'everything is full': [b('me'), [a('1'), a('2'), b('3')], [], { kind: 'wait', place: 1, seconds: 2 }],
    'those before it keep the free places': [
      a('me'),
      [b('1')],
      [a('2'), a('3')],
      { kind: 'wait', place: 3, seconds: 2 },
    ],
    'those before it who cannot go hold up nobody': [b('me'), [a('1'), a('2')], [a('3'), a('4')], { kind: 'go' }],
    'waiting for its own subnet, others do not count': [
      a('me'),
      [a('1'), a('2')],
      [b('3'), a('4')].slice(1),
      { kind: 'wait', place: 2, seconds: 2 },
    ],
    'far behind it need not ask often': [
      a('me'),
      [a('1'), a('2')],
      Array.from({ length: 199 }, (_, i) => a(`w${i}`)),
      { kind: 'wait', place: 200, seconds: 6 },
    ],
  };
  test.each(Object.entries(ROWS))('%s', (_name, [me, running, ahead, answer]) => {
    expect(decideDownloadTurn(me, running, ahead, 3)).toEqual(answer);
  });

  test('never more than the limits, and nobody waits in vain', () => {
    const asker = fc.record({ subnet: fc.constantFrom('a', 'b', 'c'), ends: fc.nat(3) });
    fc.assert(
      fc.property(fc.array(asker, { maxLength: 40 }), fc.integer({ min: 1, max: 5 }), (all, atOnce) => {
        const queue = all.map(({ subnet, ends }, index) => ({ ...at(subnet)(`m${index}`), left: ends }));
        let running: typeof queue = [];
        let waiting = queue;
        let rounds = 0;
        while (waiting.length > 0) {
          const ahead: typeof queue = [];
          for (const me of waiting) {
            if (decideDownloadTurn(me, running, ahead, atOnce).kind === 'go') running.push(me);
            else ahead.push(me);
          }
          expect(running.length).toBeLessThanOrEqual(atOnce);
          for (const subnet of ['a', 'b', 'c'])
            expect(running.filter((one) => one.subnet === subnet).length).toBeLessThanOrEqual(2);
          waiting = ahead;
          running = running.filter((one) => one.left-- > 0);
          expect(++rounds).toBeLessThan(500);
        }
      }),
    );
  });
});
