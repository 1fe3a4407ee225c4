import type { Kysely } from 'kysely';
import type { NewEvent } from '../domain/event.js';
import type { Store } from '../domain/ports.js';
import { bootCalls } from './calls/boots.js';
import { desiredCalls } from './calls/desired.js';
import { eventCalls } from './calls/events.js';
import { imageCalls } from './calls/images.js';
import { jobCalls } from './calls/jobs.js';
import { leaseCalls } from './calls/leases.js';
import { serverCalls } from './calls/server.js';
import { loadSnapshot } from './calls/snapshot.js';
import type { OpenDatabase } from './database.js';
import type { ObservedRow, SessionRow, Tables } from './tables.js';

/**
 * What every booting machine causes, in the form in which it crosses the threads: rows as they are written, and numbers instead of
 * the events that the caller has anyway.
 */
interface HotCalls {
  readonly appendEvents: (events: readonly NewEvent[]) => Promise<readonly number[]>;
  readonly saveSession: (row: SessionRow) => Promise<void>;
  readonly saveObserved: (row: ObservedRow) => Promise<void>;
}

type Port = Omit<Store, 'close' | keyof HotCalls> & HotCalls;

/** The calls of the port that a driver answers; `close` ends the thread and is not one of them. */
export type CallName = keyof Port;
export type CallArguments = { readonly [K in CallName]: Parameters<Port[K]> };
export type CallResults = { readonly [K in CallName]: Awaited<ReturnType<Port[K]>> };

/** Calls that write with one statement: it fails as a whole, so nothing must be undone. */
export const SINGLE_STATEMENT: ReadonlySet<CallName> = new Set(['claimLease', 'saveSession', 'saveObserved']);

/** Nobody waits for these before a packet leaves: leases overtake them. The number of rows they write. */
export function backgroundRows(name: CallName, args: CallArguments[CallName]): number | undefined {
  if (name === 'saveSession' || name === 'saveObserved') return 1;
  const [first] = args;
  return name === 'appendEvents' && Array.isArray(first) ? first.length : undefined;
}

/** Each call as queries on a connection that is inside a transaction; those of the hot path answer at once. Nothing in them is SQLite's own. */
export type Calls = {
  readonly [K in CallName]: (
    database: Kysely<Tables>,
    ...args: CallArguments[K]
  ) => Promise<CallResults[K]> | CallResults[K];
};

/** How much history is kept; the rest is pruned as new rows come in. */
export interface Limits {
  /** Newest events kept. */
  readonly events: number;
  /** Newest boot sessions kept; the newest of each machine always is. */
  readonly sessions: number;
  /** Newest jobs kept; open ones always are. */
  readonly jobs: number;
}

/** `kysely` only serves to build the queries of the hot path once; they run as the driver's own statements. */
export function createCalls({ kysely, prepare }: Pick<OpenDatabase, 'kysely' | 'prepare'>, limits: Limits): Calls {
  return {
    load: loadSnapshot,
    ...desiredCalls,
    ...leaseCalls(kysely, prepare),
    ...imageCalls,
    ...bootCalls(kysely, prepare, limits.sessions),
    ...eventCalls(kysely, prepare, limits.events),
    ...jobCalls(limits.jobs),
    ...serverCalls,
  };
}
