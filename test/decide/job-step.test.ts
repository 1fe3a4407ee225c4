import { describe, expect, test } from 'vitest';
import { type JobEvent, type MachineSigns, SILENT_MS, stepJob } from '../../server/decide/job-step.js';
import type { Job, JobKind } from '../../server/domain/job.js';

const HOUR = 3_600_000;
const queued: Job = {
  id: 'j1',
  machine: 'node1',
  kind: 'exec',
  command: ['uptime'],
  timeoutSeconds: 100,
  by: 'admin',
  state: 'queued',
  createdAt: 0,
  expiresAt: HOUR,
};
/** The events of a job in order; those without a time happen one second after the one before. */
function life(kind: JobKind, ...events: readonly (JobEvent | Omit<JobEvent, 'at'>)[]): Job {
  let at = 0;
  return events.reduce<Job>(
    (job, event) => {
      at = 'at' in event ? event.at : at + 1000;
      return stepJob(job, { ...event, at } as JobEvent);
    },
    { ...queued, kind },
  );
}
const sending = { kind: 'sending', session: 'boot-1' } as const;
const entered = { kind: 'entered' } as const;
const unreached = { kind: 'unreached', reason: 'connection refused' } as const;
const broken = { kind: 'broken', reason: 'connection reset' } as const;
const answer = (state: 'done' | 'failed' | 'timed-out' | 'accepted', exit?: number) =>
  ({ kind: 'answered', result: { state, ...(exit === undefined ? {} : { exit }) } }) as const;
const looked = (at: number, seen: MachineSigns = {}): JobEvent => ({ kind: 'looked', at, seen });
const claimed = (session: string, at: number): MachineSigns => ({ bootOpenedAt: at - 500, claimed: { session, at } });

type Row = readonly [kind: JobKind, events: readonly (JobEvent | Omit<JobEvent, 'at'>)[], expected: Partial<Job>];
const ROWS: Readonly<Record<string, Row>> = {
  'answered: done': [
    'exec',
    [sending, entered, answer('done', 0)],
    { state: 'done', exit: 0, sentAt: 2000, endedAt: 3000 },
  ],
  'answered: failed': ['exec', [sending, entered, answer('failed', 3)], { state: 'failed', exit: 3 }],
  'answered: over its time': ['exec', [sending, entered, answer('timed-out')], { state: 'timed-out' }],
  'nobody let us in: queued as before, and it may go to any boot': [
    'exec',
    [sending, unreached],
    { state: 'queued', message: 'connection refused' },
  ],
  'nobody let us in, until it expires': [
    'exec',
    [sending, unreached, looked(HOUR)],
    { state: 'timed-out', message: 'expired: connection refused' },
  ],
  'no door at all, until it expires': [
    'exec',
    [looked(HOUR - 1), looked(HOUR)],
    { state: 'timed-out', message: 'expired: the machine could not be reached' },
  ],
  'entered, then broken: sent, to be asked again in the same boot': [
    'exec',
    [sending, entered, broken, sending, unreached],
    { state: 'sent', session: 'boot-1', message: 'connection reset' },
  ],
  'broken, then asked again': [
    'exec',
    [sending, entered, broken, entered, answer('done', 0)],
    { state: 'done', sentAt: 2000 },
  ],
  'sent, then the machine boots again: it may have run, so it is not sent again': [
    'exec',
    [sending, entered, broken, looked(9000, claimed('boot-2', 8000))],
    { state: 'failed', message: 'the machine was booted again before it answered: whether the job ran is not known' },
  ],
  'on its way when the server died, then the machine boots again: the same': [
    'start',
    [sending, looked(9000, claimed('boot-2', 8000))],
    { state: 'failed' },
  ],
  'sent, and somebody only asks DHCP with its MAC: nothing': [
    'exec',
    [sending, entered, looked(9000, { bootOpenedAt: 8000 })],
    { state: 'sent' },
  ],
  'queued when the machine boots: it goes to the new boot': [
    'exec',
    [looked(9000, claimed('boot-2', 8000))],
    { state: 'queued' },
  ],
  'sent and never answered': [
    'exec',
    [sending, entered, looked(2000 + 160_000)],
    { state: 'timed-out', message: 'no result in 100 s: whether the job ran is not known' },
  ],
  'sent, within its time': ['exec', [sending, entered, looked(2000 + 159_999)], { state: 'sent' }],
  'cancelled before it was sent': [
    'exec',
    [{ kind: 'cancelled', by: 'eve' } as JobEvent],
    { state: 'failed', message: 'cancelled by eve' },
  ],
  'cancelled after it was sent': [
    'exec',
    [sending, entered, { kind: 'cancelled', by: 'eve' } as JobEvent],
    { state: 'failed', message: 'cancelled by eve after it was sent: it may have had an effect' },
  ],
  'an answer after the end changes nothing': [
    'exec',
    [{ kind: 'cancelled', by: 'eve' } as JobEvent, answer('done', 0)],
    { state: 'failed', message: 'cancelled by eve' },
  ],
  'reboot: the machine begins': ['reboot', [sending, entered, answer('accepted')], { state: 'sent', acceptedAt: 3000 }],
  'reboot: its firmware asks again': [
    'reboot',
    [sending, entered, answer('accepted'), looked(9000, { bootOpenedAt: 8000 })],
    { state: 'done', message: 'the machine went down and boots again' },
  ],
  'reboot: an older boot is no sign': [
    'reboot',
    [sending, entered, answer('accepted'), looked(9000, { bootOpenedAt: 2500 })],
    { state: 'sent' },
  ],
  'reboot: the answer got lost, the machine boots': [
    'reboot',
    [sending, entered, broken, looked(9000, claimed('boot-2', 8000))],
    { state: 'done' },
  ],
  'reboot: it does not come back': [
    'reboot',
    [sending, entered, answer('accepted'), looked(200_000)],
    { state: 'timed-out', message: 'the machine went down and did not boot again' },
  ],
  'poweroff: still heard': [
    'poweroff',
    [sending, entered, answer('accepted'), looked(40_000, { heartbeatAt: 39_000 })],
    { state: 'sent' },
  ],
  'poweroff: silent': [
    'poweroff',
    [sending, entered, answer('accepted'), looked(3001 + SILENT_MS, { heartbeatAt: 2900 })],
    { state: 'done', message: 'the machine is silent' },
  ],
  'poweroff: silence before the machine has accepted it is no sign': [
    'poweroff',
    [sending, entered, broken, looked(50_000, { heartbeatAt: 2900 })],
    { state: 'sent' },
  ],
  'a console that nobody lets in has failed': [
    'console',
    [sending, unreached],
    { state: 'failed', message: 'connection refused' },
  ],
  'a log whose connection breaks has failed': [
    'logs',
    [sending, entered, broken],
    { state: 'failed', message: 'connection reset' },
  ],
};

describe('the life of a job', () => {
  test.each(Object.entries(ROWS))('%s', (_why, [kind, events, expected]) => {
    expect(life(kind, ...events)).toMatchObject(expected);
  });
});
