import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { negotiate } from '../../server/decide/tftp-negotiate.js';
import {
  confirmedBytes,
  newTransfer,
  nextInLockStep,
  stepTransfer,
  TRANSFER_TIMING,
  type TransferAction,
  type TransferEvent,
  type TransferState,
} from '../../server/decide/tftp-transfer.js';
import { seededRandom } from '../support/tftp-random.js';

// More than 300 lines: one table of transfers, event by event, and what holds for all of them.

function begin(size: number, asked: Readonly<Record<string, number>> = {}): TransferState {
  const options = Object.entries(asked).map(([name, value]) => ({ name, value: String(value) }));
  return newTransfer(negotiate(options, size), size);
}

function words(action: TransferAction): string {
  switch (action.kind) {
    case 'send-oack':
      return `OACK ${action.options.map(({ name, value }) => `${name}=${value}`).join(' ')}`;
    case 'send-data':
      return action.count === 1 ? `DATA ${action.first}` : `DATA ${action.first}-${action.first + action.count - 1}`;
    case 'send-error':
      return `ERROR ${action.code} ${action.message}`;
    case 'path':
      return `blocks of ${action.blockSize} ${action.fits ? 'come through' : 'do not come through'}`;
    case 'end':
      return action.reason === undefined ? action.outcome : `${action.outcome}: ${action.reason}`;
  }
}

const ack = (block: number, at = 0): TransferEvent => ({ kind: 'ack', block, at });
const timeout: TransferEvent = { kind: 'timeout', at: 0 };
const start: TransferEvent = { kind: 'start', at: 0 };

/** Runs the events; what each of them caused, as text. The clock mostly stands, so measured time-outs are the margin. */
function run(state: TransferState, events: readonly TransferEvent[]): string[] {
  return events.map((event) => {
    const actions = stepTransfer(state, event);
    const timer = actions.some(({ kind }) => kind === 'send-oack' || kind === 'send-data')
      ? [`timer ${state.deadline - ('at' in event ? event.at : 0)}`]
      : [];
    return [...actions.map(words), ...timer].join(', ');
  });
}

type Row = [state: TransferState, rows: readonly [TransferEvent, string][]];

describe('transfers, event by event', () => {
  const rows: Record<string, Row> = {
    'RFC 1350 alone: two blocks': [
      begin(700),
      [
        [start, 'DATA 1, timer 1000'],
        [ack(1), 'DATA 2, timer 20'],
        [ack(2), 'sent'],
      ],
    ],
    'an empty file is one empty block': [
      begin(0),
      [
        [start, 'DATA 1, timer 1000'],
        [ack(1), 'sent'],
      ],
    ],
    'a multiple of the block size ends with an empty block': [
      begin(1024),
      [
        [start, 'DATA 1, timer 1000'],
        [ack(1), 'DATA 2, timer 20'],
        [ack(2), 'DATA 3, timer 20'],
        [ack(3), 'sent'],
      ],
    ],
    'options first, data after ACK 0': [
      begin(700, { tsize: 0, blksize: 1024 }),
      [
        [start, 'OACK tsize=700 blksize=1024, timer 1000'],
        [ack(0), 'DATA 1, timer 20'],
        [ack(1), 'sent'],
      ],
    ],
    'firmware reads the size and stops with error 8': [
      begin(700, { tsize: 0 }),
      [
        [start, 'OACK tsize=700, timer 1000'],
        [{ kind: 'error', code: 8, message: 'User aborted the transfer' }, 'probed'],
      ],
    ],
    'a BIOS ROM reads the size and stops with error 0': [
      begin(700, { tsize: 0 }),
      [
        [start, 'OACK tsize=700, timer 1000'],
        [{ kind: 'error', code: 0, message: 'TFTP Aborted' }, 'probed'],
      ],
    ],
    'error 0 without a question for the size is a failure': [
      begin(700, { blksize: 1024 }),
      [
        [start, 'OACK blksize=1024, timer 1000'],
        [{ kind: 'error', code: 0, message: '' }, 'failed: the client stopped with error 0'],
      ],
    ],
    'error 8 after the first block is a failure': [
      begin(700, { tsize: 0 }),
      [
        [start, 'OACK tsize=700, timer 1000'],
        [ack(0), 'DATA 1, timer 20'],
        [{ kind: 'error', code: 8, message: 'no' }, 'failed: the client stopped with error 8: no'],
      ],
    ],
    'a full disk': [
      begin(700),
      [
        [start, 'DATA 1, timer 1000'],
        [ack(1), 'DATA 2, timer 20'],
        [{ kind: 'error', code: 3, message: 'disk full' }, 'failed: the client stopped with error 3: disk full'],
      ],
    ],
    'duplicate ACKs cause nothing': [
      begin(5000, { blksize: 512 }),
      [
        [start, 'OACK blksize=512, timer 1000'],
        [ack(0), 'DATA 1, timer 20'],
        [ack(0), ''],
        [ack(1), 'DATA 2, timer 20'],
        [ack(1), ''],
        [ack(0), ''],
        [ack(1), ''],
        [ack(2), 'DATA 3, timer 20'],
      ],
    ],
    'ACKs of blocks never sent cause nothing': [
      begin(5000),
      [
        [start, 'DATA 1, timer 1000'],
        [ack(0), ''],
        [ack(2), ''],
        [ack(65_535), ''],
        [ack(1), 'DATA 2, timer 20'],
      ],
    ],
    'ACK 1 does not answer an OACK': [
      begin(5000, { tsize: 0 }),
      [
        [start, 'OACK tsize=5000, timer 1000'],
        [ack(1), ''],
        [ack(65_535), ''],
        [ack(0), 'DATA 1, timer 20'],
      ],
    ],
    'a client that never answers gets four packets': [
      begin(5000),
      [
        [start, 'DATA 1, timer 1000'],
        [timeout, 'DATA 1, timer 2000'],
        [timeout, 'DATA 1, timer 4000'],
        [timeout, 'DATA 1, timer 4000'],
        [timeout, 'failed: no answer to block 1 of 10 after 4 attempts'],
      ],
    ],
    'nobody answers, and an interval of four minutes was asked for': [
      begin(5000, { timeout: 255 }),
      [
        [start, 'OACK timeout=255, timer 10000'],
        [timeout, 'failed: no answer to the option answer after 1 attempts'],
      ],
    ],
    'nobody answers, and an interval of four seconds was asked for': [
      begin(5000, { timeout: 4 }),
      [
        [start, 'OACK timeout=4, timer 4000'],
        [timeout, 'OACK timeout=4, timer 4000'],
        [timeout, 'OACK timeout=4, timer 4000'],
        [timeout, 'failed: no answer to the option answer after 3 attempts'],
      ],
    ],
    'nobody answers the options': [
      begin(5000, { tsize: 0 }),
      [
        [start, 'OACK tsize=5000, timer 1000'],
        [timeout, 'OACK tsize=5000, timer 2000'],
        [timeout, 'OACK tsize=5000, timer 4000'],
        [timeout, 'OACK tsize=5000, timer 4000'],
        [timeout, 'failed: no answer to the option answer after 4 attempts'],
      ],
    ],
    'a client that falls silent gets ten resends, ever later': [
      begin(5000),
      [
        [start, 'DATA 1, timer 1000'],
        [ack(1), 'DATA 2, timer 20'],
        [timeout, 'DATA 2, timer 40'],
        [timeout, 'DATA 2, timer 80'],
        [timeout, 'DATA 2, timer 160'],
        [timeout, 'DATA 2, timer 320'],
        [timeout, 'DATA 2, timer 640'],
        [timeout, 'DATA 2, timer 1280'],
        [timeout, 'DATA 2, timer 2560'],
        [timeout, 'DATA 2, timer 4000'],
        [timeout, 'DATA 2, timer 4000'],
        [timeout, 'DATA 2, timer 4000'],
        [timeout, 'failed: no answer to block 2 of 10 after 11 attempts'],
      ],
    ],
    'full blocks that never come through are told, and that they do after all': [
      begin(5000, { blksize: 1468 }),
      [
        [start, 'OACK blksize=1468, timer 1000'],
        [ack(0), 'DATA 1, timer 20'],
        [timeout, 'DATA 1, timer 40'],
        [timeout, 'DATA 1, timer 80'],
        [timeout, 'DATA 1, timer 160'],
        [timeout, 'DATA 1, timer 320'],
        [timeout, 'blocks of 1468 do not come through, DATA 1, timer 640'],
        [timeout, 'DATA 1, timer 1280'],
        [ack(1), 'blocks of 1468 come through, DATA 2, timer 20'],
      ],
    ],
    'a file of one small block says nothing of the path': [
      begin(500, { blksize: 1468 }),
      [
        [start, 'OACK blksize=1468, timer 1000'],
        [ack(0), 'DATA 1, timer 20'],
        ...Array.from({ length: 6 }, (_, index): [TransferEvent, string] => [
          timeout,
          `DATA 1, timer ${40 * 2 ** index}`,
        ]),
      ],
    ],
    'in lock-step a client may hurry a resend that waits long by now': [
      begin(5000),
      [
        [start, 'DATA 1, timer 1000'],
        [ack(1), 'DATA 2, timer 20'],
        [timeout, 'DATA 2, timer 40'],
        [timeout, 'DATA 2, timer 80'],
        [ack(1, 19), ''],
        [ack(1, 20), 'DATA 2, timer 80'],
      ],
    ],
    'with windows a repeated ACK is a lost first block, once; its echoes are none': [
      begin(10_000, { windowsize: 4 }),
      [
        [start, 'OACK windowsize=4, timer 1000'],
        [ack(0, 10), 'DATA 1-4, timer 30'],
        [ack(4, 20), 'DATA 5-8, timer 30'],
        [ack(4, 21), ''],
        [ack(4, 25), 'DATA 5-8, timer 30'],
        [ack(4, 26), ''],
        [ack(8, 35), 'DATA 9-12, timer 30'],
        [ack(8, 36), ''],
        [ack(8, 37), ''],
        [ack(8, 38), ''],
        [ack(8, 39), 'DATA 9-12, timer 30'],
        [ack(8, 200), ''],
      ],
    ],
    'blocks that waited for the disk are timed from when they went out': [
      begin(5000),
      [
        [start, 'DATA 1, timer 1000'],
        [ack(1, 10), 'DATA 2, timer 30'],
        [{ kind: 'sent-late', at: 500 }, ''],
        [ack(2, 510), 'DATA 3, timer 30'],
      ],
    ],
    'news starts the count again': [
      begin(5000),
      [
        [start, 'DATA 1, timer 1000'],
        [ack(1), 'DATA 2, timer 20'],
        [timeout, 'DATA 2, timer 40'],
        [timeout, 'DATA 2, timer 80'],
        [ack(2), 'DATA 3, timer 20'],
        [timeout, 'DATA 3, timer 40'],
      ],
    ],
    "the client's own interval has no back-off": [
      begin(5000, { timeout: 3 }),
      [
        [start, 'OACK timeout=3, timer 3000'],
        [timeout, 'OACK timeout=3, timer 3000'],
        [ack(0), 'DATA 1, timer 3000'],
        [timeout, 'DATA 1, timer 3000'],
      ],
    ],
    'an interval of minutes gets two resends': [
      begin(5000, { timeout: 200 }),
      [
        [start, 'OACK timeout=200, timer 10000'],
        [ack(0), 'DATA 1, timer 200000'],
        [timeout, 'DATA 1, timer 200000'],
        [timeout, 'DATA 1, timer 200000'],
        [timeout, 'failed: no answer to block 1 of 10 after 3 attempts'],
      ],
    ],
    'the reason says what the operating system said': [
      begin(5000),
      [
        [start, 'DATA 1, timer 1000'],
        [{ kind: 'send-failed', reason: 'ENETUNREACH' }, ''],
        [timeout, 'DATA 1, timer 2000'],
        [timeout, 'DATA 1, timer 4000'],
        [timeout, 'DATA 1, timer 4000'],
        [timeout, 'failed: no answer to block 1 of 10 after 4 attempts (could not be sent: ENETUNREACH)'],
      ],
    ],
    'we stop': [
      begin(5000),
      [
        [start, 'DATA 1, timer 1000'],
        [{ kind: 'abandon', reason: 'the server stops' }, 'ERROR 0 the server stops, failed: the server stops'],
      ],
    ],
    'the client has begun again: an ERROR now would be taken for the answer to its new request': [
      begin(5000),
      [
        [start, 'DATA 1, timer 1000'],
        [{ kind: 'abandon', reason: 'asked again', silent: true }, 'failed: asked again'],
      ],
    ],
    'windows of four blocks': [
      begin(5000, { windowsize: 4 }),
      [
        [start, 'OACK windowsize=4, timer 1000'],
        [ack(0), 'DATA 1-4, timer 20'],
        [ack(4), 'DATA 5-8, timer 20'],
        [ack(8), 'DATA 9-10, timer 20'],
        [ack(10), 'sent'],
      ],
    ],
    'a window of which a block got lost goes on after the last one that came': [
      begin(5000, { windowsize: 4 }),
      [
        [start, 'OACK windowsize=4, timer 1000'],
        [ack(0), 'DATA 1-4, timer 20'],
        [ack(2), 'DATA 3-6, timer 20'],
        [ack(2), ''],
        [ack(1), ''],
        [timeout, 'DATA 3-6, timer 40'],
        [ack(6), 'DATA 7-10, timer 20'],
        [ack(10), 'sent'],
      ],
    ],
    'ACKs for blocks that came twice do not let them come a third time': [
      begin(10_000, { windowsize: 4 }),
      [
        [start, 'OACK windowsize=4, timer 1000'],
        [ack(0), 'DATA 1-4, timer 20'],
        [ack(2), 'DATA 3-6, timer 20'],
        [ack(4), 'DATA 7-8, timer 20'],
        [ack(4), ''],
        [ack(8), 'DATA 9-12, timer 20'],
        [ack(10), 'DATA 11-14, timer 20'],
      ],
    ],
  };
  test.each(Object.entries(rows))('%s', (_, [state, steps]) => {
    expect(
      run(
        state,
        steps.map(([event]) => event),
      ),
    ).toEqual(steps.map(([, result]) => result));
  });

  test('a lost last ACK: the client has left with the whole file', () => {
    const silent = Array.from({ length: TRANSFER_TIMING.resends + 1 }, () => timeout);
    expect(run(begin(700), [start, ack(1), ...silent]).at(-1)).toBe('sent: the last block was not acknowledged');
  });
});

test('the time-out follows the measured round trip', () => {
  const state = begin(1_000_000);
  stepTransfer(state, start);
  for (let block = 1; block <= 100; block++) stepTransfer(state, ack(block, block * 300));
  const timer = state.deadline - 100 * 300;
  expect(timer).toBeGreaterThanOrEqual(300);
  expect(timer).toBeLessThan(330);
});

test('the short way of lock-step does what the long one does, or nothing (property)', () => {
  const step = fc.record({ what: fc.constantFrom('ack', 'ack', 'ack', 'old', 'far', 'timeout'), wait: fc.nat(400) });
  const terms = fc.record({ windowsize: fc.constantFrom(1, 1, 2), blksize: fc.constantFrom(512, 1468) });
  fc.assert(
    fc.property(fc.boolean(), terms, fc.nat(9000), fc.array(step, { maxLength: 40 }), (options, asked, size, steps) => {
      const [long, short] = [begin(size, options ? asked : {}), begin(size, options ? asked : {})];
      let at = 0;
      for (const state of [long, short]) stepTransfer(state, { kind: 'start', at });
      for (const { what, wait } of steps) {
        at += wait;
        if (what === 'timeout') {
          for (const state of [long, short]) stepTransfer(state, { kind: 'timeout', at });
        } else {
          const block = (long.acknowledged + { ack: 1, old: 0, far: 2 }[what]) & 0xffff;
          const actions = stepTransfer(long, { kind: 'ack', block, at });
          const next = nextInLockStep(short, block, at);
          if (next === 0) expect(stepTransfer(short, { kind: 'ack', block, at })).toEqual(actions);
          else expect(actions).toEqual([{ kind: 'send-data', first: next, count: 1 }]);
        }
        expect(short).toEqual(long);
      }
    }),
  );
});

test('in lock-step every ACK but the first and the last takes the short way', () => {
  const state = begin(512 * 4 + 1, { blksize: 512 });
  stepTransfer(state, start);
  const ways = [0, 1, 2, 3, 4, 5].map((block) => {
    const next = nextInLockStep(state, block, 0);
    if (next === 0) stepTransfer(state, ack(block));
    return next;
  });
  expect(ways).toEqual([0, 2, 3, 4, 5, 0]);
});

describe('rollover of the 16-bit block number, with 5 % of all packets lost, doubled or late', () => {
  const blocks = [65_534, 65_535, 65_536, 65_537, 131_071, 131_072];
  test.each(blocks.flatMap((count) => [1, 5].map((window) => [count, window] as const)))(
    '%i blocks of 8 bytes, window %i',
    (count, window) => {
      const size = (count - 1) * 8 + 3;
      const result = simulate(begin(size, { blksize: 8, windowsize: window }), count * 10 + window, 0.05);
      expect(result).toMatchObject({ outcome: 'sent', received: count });
      expect(confirmedBytes(result.state)).toBe(size);
    },
  );
});

test('without loss every block is sent exactly once, whatever is doubled on the way', () => {
  const count = 70_000;
  const result = simulate(begin(count * 8, { blksize: 8 }), 7, 0, 0.3);
  expect(result).toMatchObject({ outcome: 'sent', received: count + 1, dataSent: count + 1 });
});

/**
 * A client as RFC 1350 and RFC 7440 describe it, at the other end of a bad line: it takes the next block only, answers each
 * window, and repeats its ACK for what it has already.
 */
function simulate(
  start: TransferState,
  seed: number,
  loss: number,
  doubling = loss,
): { outcome: string; received: number; dataSent: number; state: TransferState } {
  const random = seededRandom(seed);
  const happens = (chance: number): boolean => random(1_000_000) < chance * 1_000_000;
  const state = start;
  let received = 0;
  let dataSent = 0;
  let at = 0;
  let outcome = '';
  let inWindow = 0;
  const toServer: number[] = [];
  const toClient: number[] = [];

  const post = (line: number[], value: number): void => {
    if (happens(loss)) return;
    line.push(value);
    if (happens(doubling)) line.push(value);
    if (loss > 0 && line.length > 1 && happens(loss)) line.push(line.shift() ?? 0);
  };
  const apply = (event: TransferEvent): void => {
    for (const action of stepTransfer(state, event)) {
      if (action.kind === 'send-oack') post(toClient, 0);
      if (action.kind === 'send-data') {
        dataSent += action.count;
        for (let i = 0; i < action.count; i++) post(toClient, action.first + i);
      }
      if (action.kind === 'end') outcome = action.outcome;
    }
  };
  apply({ kind: 'start', at });
  while (outcome === '') {
    at += 1;
    const block = toClient.shift();
    if (block !== undefined) {
      const isNext = block === received + 1;
      if (isNext) {
        received = block;
        inWindow += 1;
      }
      const full = inWindow === state.terms.windowSize || received === state.lastBlock;
      if (!isNext || full) {
        inWindow = 0;
        post(toServer, received & 0xffff);
      }
    }
    const answer = toServer.shift();
    if (answer !== undefined) apply({ kind: 'ack', block: answer, at });
    else if (toClient.length === 0) apply({ kind: 'timeout', at });
  }
  return { outcome, received, dataSent, state };
}
