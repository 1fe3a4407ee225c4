import type { RoleLease } from '../domain/standby.js';

/**
 * The lease under which a machine runs the systems of a role with spares (ADR 13). The machine counts it by its uptime from the moment
 * at which it SENT a heartbeat, the server by its monotonic clock from the moment at which it ANSWERED, which is later: so the machine
 * always ends first. No wall clock, nothing that a restart could shorten. Times are ms of the monotonic clock of this server process.
 */
export interface Tenure extends RoleLease {
  /** Before this a lease of it may be out: its end and the margin. */
  readonly until: number;
  /** When it was last heard with its credential; the start of this server before that. */
  readonly heardAt: number;
  /** Its uptime in ms at the last heartbeat that was granted a lease, and the boot session of it. */
  readonly grantedUptime: number;
  readonly session?: string;
  /** It said after its last lease that it runs nothing. */
  readonly released: boolean;
}

/**
 * What the spare waits beyond the lease: the time in which the machine stops its systems, in which its watchdog fires if it cannot,
 * and the difference of two clocks.
 */
export function marginSeconds(leaseSeconds: number): number {
  return Math.max(10, Math.ceil(leaseSeconds / 4));
}

/** A lease survives three heartbeats that are lost. */
export function leaseHeartbeatSeconds(leaseSeconds: number, usual: number): number {
  return Math.max(1, Math.min(usual, Math.floor(leaseSeconds / 4)));
}

const spanMs = (leaseSeconds: number): number => (leaseSeconds + marginSeconds(leaseSeconds)) * 1000;

/**
 * What a server that starts knows: every heartbeat that the one before it answered was answered before now, so a whole lease and margin
 * from now is never too short; and silence is counted from now.
 */
export function tenureAtStart(record: RoleLease, now: number): Tenure {
  return { ...record, until: now + spanMs(record.seconds), heardAt: now, grantedUptime: 0, released: false };
}

/** A machine of which nothing is on record: whatever it runs, it runs without a lease. */
export function unknownTenure(machine: string, now: number): Tenure {
  return tenureAtStart({ machine, bounded: false, seconds: 0, off: false }, now);
}

export function recordOf({ machine, bounded, seconds, off }: Tenure): RoleLease {
  return { machine, bounded, seconds, off };
}

export function sameRecord(a: RoleLease, b: RoleLease): boolean {
  return a.bounded === b.bounded && a.seconds === b.seconds && a.off === b.off;
}

export function heard(tenure: Tenure, now: number): Tenure {
  return { ...tenure, heardAt: now };
}

/**
 * What must be on disk before a lease of `seconds` is granted. A longer one that may still be out stays on record until the new one
 * ends later than it.
 */
export function beforeGrant(tenure: Tenure, seconds: number, now: number): RoleLease {
  const longer = tenure.bounded && tenure.until > now + spanMs(seconds) ? tenure.seconds : 0;
  return { machine: tenure.machine, bounded: true, seconds: Math.max(seconds, longer), off: false };
}

/** The answer with a lease leaves now; `record` is on disk. */
export function granted(
  tenure: Tenure,
  record: RoleLease,
  lease: { readonly seconds: number; readonly uptime: number; readonly session: string },
  now: number,
): Tenure {
  return {
    ...tenure,
    ...record,
    until: Math.max(tenure.until, now + spanMs(lease.seconds)),
    heardAt: now,
    grantedUptime: lease.uptime,
    session: lease.session,
    released: false,
  };
}

/**
 * It says that it runs nothing. A heartbeat of before its last lease, which was long under way, says nothing about now: it is told by
 * its boot session and its uptime, which does not go back within one.
 */
export function saidStopped(tenure: Tenure, uptime: number, session: string): Tenure {
  const later = tenure.session === session && uptime > tenure.grantedUptime;
  return later || tenure.session === undefined ? { ...tenure, released: true } : tenure;
}

/** Whether no system of a role can run on it any more. */
export function leaseIsOver({ bounded, off, released, until }: Tenure, now: number): boolean {
  return off || released || (bounded && now >= until);
}

/** Whether it has been silent for three heartbeats. `countedFrom`: since when the server surely listens. */
export function isSilent(tenure: Tenure, heartbeatSeconds: number, countedFrom: number, now: number): boolean {
  return now - Math.max(tenure.heardAt, countedFrom) > silenceMs(heartbeatSeconds);
}

/** As in machineStatus: three heartbeats and 2 s for the slow one. */
export const silenceMs = (heartbeatSeconds: number): number => (3 * heartbeatSeconds + 2) * 1000;
