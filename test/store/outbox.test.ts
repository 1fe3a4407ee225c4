import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type Answers,
  type NumberedCall,
  type Outcome,
  readAnswers,
  readCalls,
  writeAnswer,
} from '../../server/store/messages.js';
import { Outbox } from '../../server/store/outbox.js';
import { lease } from './store-fixture.js';

let sent: NumberedCall[][];
let unsent: number[];
let outbox: Outbox;

beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  unsent = [];
  outbox = new Outbox(
    (request) => sent.push(readCalls(request)),
    (id) => unsent.push(id),
  );
});
afterEach(() => {
  vi.useRealTimers();
});

const saveSession = (id: string, body: string): number =>
  outbox.addRow(id, () => ({ name: 'saveSession', args: [{ id, key: 'k', opened_ms: 1, body }] }));
const bodies = (): string[][] =>
  sent.map((calls) => calls.map(({ call }) => (call.name === 'saveSession' ? call.args[0].body : call.name)));

describe('calls on their way to the thread of the store', () => {
  it('travel together when they were made in one turn', () => {
    outbox.add({ name: 'claimLease', args: [lease('10.0.0.1'), undefined] });
    outbox.add({ name: 'setting', args: ['k'] });
    vi.advanceTimersToNextTimer();
    expect(sent.map((calls) => calls.map(({ id, call }) => [id, call.name]))).toEqual([
      [
        [1, 'claimLease'],
        [2, 'setting'],
      ],
    ]);
  });

  it('a few that follow at once wait a millisecond for each other, many do not', () => {
    const claim = (): number => outbox.add({ name: 'claimLease', args: [lease('10.0.0.1'), undefined] });
    vi.advanceTimersByTime(10);
    claim();
    vi.advanceTimersByTime(0);
    expect(sent.map((calls) => calls.length)).toEqual([1]);
    claim();
    claim();
    vi.advanceTimersByTime(0);
    expect(sent).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(sent.map((calls) => calls.length)).toEqual([1, 2]);
    for (let n = 0; n < 8; n++) claim();
    vi.advanceTimersByTime(0);
    expect(sent.map((calls) => calls.length)).toEqual([1, 2, 8]);
  });

  it('a few rows linger for 20 ms; the last word is written', () => {
    const first = saveSession('a', 'old');
    expect(saveSession('a', 'new')).toBe(first);
    saveSession('b', 'b');
    vi.advanceTimersByTime(19);
    expect(sent).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(bodies()).toEqual([['new', 'b']]);
  });

  it('many rows linger for a second, for they are saved again soon; events do not', () => {
    for (let n = 0; n < 100; n++) saveSession(`s${n}`, 'old');
    outbox.addEvents({ name: 'appendEvents', args: [{ count: 1, lines: '{}', keys: 'dhcp\ninfo\n\n\n' }] });
    vi.advanceTimersByTime(40);
    expect(bodies()).toEqual([['appendEvents']]);
    for (let n = 0; n < 100; n++) saveSession(`s${n}`, 'new');
    vi.advanceTimersByTime(1000);
    expect(bodies().slice(1)).toEqual([
      Array.from({ length: 64 }, () => 'new'),
      Array.from({ length: 36 }, () => 'new'),
    ]);
  });

  it('so many rows do not wait for more, and leave in steps; what changes meanwhile is written after what it was', () => {
    for (let n = 0; n < 1500; n++) saveSession(`s${n}`, 'x');
    vi.advanceTimersByTime(20);
    expect(bodies().map((calls) => calls.length)).toEqual([64]);
    saveSession('s0', 'again');
    saveSession('s1499', 'again');
    vi.advanceTimersByTime(24 * 5);
    expect(bodies().flat()).toEqual(Array.from({ length: 1500 }, () => 'x'));
    vi.advanceTimersByTime(20);
    expect(bodies().at(-1)).toEqual(['again', 'again']);
  });

  it('whoever reads while they leave sees all of them, in their order', () => {
    for (let n = 0; n < 1500; n++) saveSession(`s${n}`, 'x');
    vi.advanceTimersByTime(20);
    saveSession('s1499', 'again');
    outbox.add({ name: 'session', args: ['s1499'] });
    vi.advanceTimersToNextTimer();
    expect(bodies()[1]).toEqual([...Array.from({ length: 1436 }, () => 'x'), 'again', 'session']);
    vi.advanceTimersByTime(2000);
    expect(sent).toHaveLength(2);
  });

  it('whoever reads sees what lingers; a lease does not take it along', () => {
    saveSession('a', 'a');
    outbox.add({ name: 'claimLease', args: [lease('10.0.0.1'), undefined] });
    vi.advanceTimersToNextTimer();
    outbox.add({ name: 'session', args: ['a'] });
    vi.advanceTimersToNextTimer();
    expect(bodies()).toEqual([['claimLease'], ['a', 'session']]);
  });

  it('a machine that is forgotten does not send what lingers; what comes again is saved after it', () => {
    const forget = (key: string): number =>
      outbox.addRow(`forget ${key}`, () => ({ name: 'forgetStranger', args: [key] }));
    saveSession('a', 'before');
    saveSession('b', 'b');
    forget('k');
    vi.advanceTimersByTime(19);
    expect(sent).toEqual([]);
    saveSession('a', 'again');
    vi.advanceTimersByTime(1);
    expect(bodies()).toEqual([['b', 'forgetStranger', 'again']]);
    // And the other way round: forgotten twice, with something of it in between.
    forget('k');
    saveSession('a', 'between');
    forget('k');
    vi.advanceTimersByTime(20);
    expect(bodies()[1]).toEqual(['between', 'forgetStranger']);
    expect(sent[1]?.at(-1)?.call.args).toEqual(['k']);
  });

  it('a row that cannot be written as text is told, and the others go', () => {
    const bad = outbox.addRow('bad', () => {
      throw new TypeError('BigInt');
    });
    saveSession('good', 'g');
    outbox.flush();
    expect([unsent, bodies()]).toEqual([[bad], [['g']]]);
  });
});

it('answers come back as they were, in order', () => {
  const outcomes: Outcome[] = [
    { ok: true, value: 'ok' },
    { ok: true, value: undefined },
    { ok: true, value: 'conflict' },
    { ok: true, value: 17 },
    { ok: false, error: { code: 'unavailable', message: 'full', remedy: 'free some space' } },
    { ok: true, value: [] },
  ];
  const answers: Answers = [];
  outcomes.forEach((outcome, id) => {
    writeAnswer(answers, id, outcome);
  });
  const read: [number, Outcome][] = [];
  readAnswers(structuredClone(answers), (id, outcome) => read.push([id, outcome]));
  expect(read).toEqual(outcomes.map((outcome, id) => [id, outcome]));
});
