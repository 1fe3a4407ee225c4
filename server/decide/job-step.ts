import type { Job, JobState, MoveProgress } from '../domain/job.js';

/** What a machine said at the end of a job (docs/control.md, "The protocol inside SSH"). */
export interface JobResult {
  readonly state: 'done' | 'failed' | 'timed-out' | 'accepted';
  readonly exit?: number;
  readonly message?: string;
  readonly outputBytes?: number;
  readonly truncated?: boolean;
}

/** What can happen to a job. `at` is epoch ms. */
export type JobEvent = { readonly at: number } & (
  | { readonly kind: 'sending'; readonly session: string }
  /** The machine let us in: from here on it may run. */
  | { readonly kind: 'entered' }
  /** Nobody let us in: it surely does not run. */
  | { readonly kind: 'unreached'; readonly reason: string }
  /** The connection ended before a result: it may run, or have run. */
  | { readonly kind: 'broken'; readonly reason: string }
  | { readonly kind: 'answered'; readonly result: JobResult }
  | { readonly kind: 'cancelled'; readonly by: string }
  /** Nothing of it can be gone on with: its machine was removed, its listener is gone, the server was restarted under it. */
  | { readonly kind: 'lost'; readonly reason: string }
  | { readonly kind: 'moving'; readonly move: MoveProgress }
  | { readonly kind: 'looked'; readonly seen: MachineSigns }
);

/** What is known of the machine when nobody talks to it. */
export interface MachineSigns {
  /** When its firmware began the newest boot. */
  readonly bootOpenedAt?: number;
  /** The newest boot that its stage 1 has claimed. */
  readonly claimed?: { readonly session: string; readonly at: number };
  readonly heartbeatAt?: number;
}

/** A live OS reports every 10 s; one that went down on our word is believed to be off after three missing heartbeats. */
export const SILENT_MS = 32_000;

/**
 * The life of a job: `queued → sent → done | failed | timed-out`. Returns the very job when nothing changes. Rules, in this order:
 * an ended job stays as it is; a job goes back to `queued` only when it surely did not reach the machine; what may have run in one
 * boot is never sent again in another.
 */
export function stepJob(job: Job, event: JobEvent): Job {
  if (job.state !== 'queued' && job.state !== 'sent') return job;
  switch (event.kind) {
    case 'sending':
      return { ...job, session: event.session };
    case 'entered':
      return job.state === 'sent' ? job : without({ ...job, state: 'sent', sentAt: event.at }, 'message');
    case 'unreached':
      if (lastsWithItsConnection(job)) return ended(job, 'failed', event.at, event.reason);
      // One that was sent before is only asked for its result: that it is not answered now says nothing.
      return job.state === 'sent' ? job : without({ ...job, message: event.reason }, 'session');
    case 'broken':
      return lastsWithItsConnection(job)
        ? ended(job, 'failed', event.at, event.reason)
        : { ...job, message: event.reason };
    case 'answered':
      return answered(job, event.result, event.at);
    case 'moving':
      return { ...job, move: event.move };
    case 'cancelled':
      if (isFinishing(job)) return job;
      return ended(
        job,
        'failed',
        event.at,
        job.state === 'queued' || job.kind === 'move'
          ? `cancelled by ${event.by}`
          : `cancelled by ${event.by} after it was sent: it may have had an effect`,
      );
    case 'lost':
      return ended(job, 'failed', event.at, event.reason);
    case 'looked':
      return isFinishing(job) ? job : looked(job, event.seen, event.at);
  }
}

/** A move whose data has all come: the role changes hands, which nothing breaks off. */
export const isFinishing = ({ move }: Pick<Job, 'move'>): boolean => move?.phase === 'placing';

/** Nothing of it is kept on the machine. */
export const lastsWithItsConnection = ({ kind }: Pick<Job, 'kind'>): boolean => kind === 'logs' || kind === 'console';

function answered(job: Job, result: JobResult, at: number): Job {
  const { state, ...facts } = result;
  if (state === 'accepted') return { ...job, ...facts, acceptedAt: at, message: 'the machine is going down' };
  return { ...ended(without(job, 'message'), state, at), ...facts };
}

function looked(job: Job, { bootOpenedAt, claimed, heartbeatAt }: MachineSigns, at: number): Job {
  const begun = job.acceptedAt ?? job.sentAt;
  if (job.state === 'sent' && begun !== undefined) {
    const booted = bootOpenedAt !== undefined && bootOpenedAt > begun;
    if (job.kind === 'reboot' && booted) return ended(job, 'done', at, 'the machine went down and boots again');
    if (job.kind === 'poweroff' && booted) return ended(job, 'done', at, 'the machine was switched on again since');
    const silentSince = Math.max(job.acceptedAt ?? Number.POSITIVE_INFINITY, heartbeatAt ?? 0);
    if (job.kind === 'poweroff' && at - silentSince > SILENT_MS) return ended(job, 'done', at, 'the machine is silent');
  }
  // Claimed, not only opened: anybody can send a DISCOVER with its MAC.
  if (
    job.session !== undefined &&
    claimed !== undefined &&
    claimed.session !== job.session &&
    claimed.at > sinceOf(job)
  )
    return ended(
      job,
      'failed',
      at,
      job.kind === 'move'
        ? 'the machine was booted again: nothing has moved'
        : 'the machine was booted again before it answered: whether the job ran is not known',
    );
  if (job.state === 'queued' && job.session === undefined && at >= job.expiresAt)
    return ended(job, 'timed-out', at, `expired: ${job.message ?? 'the machine could not be reached'}`);
  if (job.state === 'queued' && at >= job.expiresAt + job.timeoutSeconds * 1000)
    return ended(job, 'timed-out', at, 'the machine did not answer: whether the job ran is not known');
  if (job.sentAt !== undefined && at >= job.sentAt + (job.timeoutSeconds + GRACE_SECONDS) * 1000)
    return ended(job, 'timed-out', at, overdue(job));
  return job;
}

/** The machine itself ends a command at its limit: its word for that is worth waiting for. */
const GRACE_SECONDS = 60;

function overdue(job: Job): string {
  if (job.kind === 'move') return `not done in ${job.timeoutSeconds} s: nothing has moved`;
  if (job.acceptedAt === undefined) return `no result in ${job.timeoutSeconds} s: whether the job ran is not known`;
  return job.kind === 'reboot' ? 'the machine went down and did not boot again' : 'the machine still answers';
}

const sinceOf = (job: Job): number => job.sentAt ?? job.createdAt;

function ended(job: Job, state: JobState, at: number, message?: string): Job {
  return { ...job, state, endedAt: at, ...(message === undefined ? {} : { message }) };
}

function without<K extends keyof Job>(job: Job, key: K): Job {
  const { [key]: _gone, ...rest } = job;
  return rest as Job;
}
