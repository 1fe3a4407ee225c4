import type { Kysely } from 'kysely';
import type { Store } from '../domain/ports.js';
import { bootCalls } from './calls/boots.js';
import { desiredCalls } from './calls/desired.js';
import { eventCalls } from './calls/events.js';
import { imageCalls } from './calls/images.js';
import { jobCalls } from './calls/jobs.js';
import { leaseCalls } from './calls/leases.js';
import { serverCalls } from './calls/server.js';
import { loadSnapshot } from './calls/snapshot.js';
import { standbyCalls } from './calls/standby.js';
import type { OpenDatabase } from './database.js';
import type { EventTexts } from './event-lines.js';
import type { Call } from './messages.js';
import type { ObservedRow, SessionRow, Tables } from './tables.js';

/** What every booting machine causes, in the form in which it crosses the threads: rows and texts as they are written. */
interface HotCalls {
  /** The sequence of the first one. */
  readonly appendEvents: (events: EventTexts) => Promise<number>;
  readonly saveSession: (row: SessionRow) => Promise<void>;
  readonly saveObserved: (row: ObservedRow) => Promise<void>;
}

type Port = Omit<Store, 'close' | keyof HotCalls> & HotCalls;

/** The calls of the port that a driver answers; `close` ends the thread and is not one of them. */
export type CallName = keyof Port;
export type CallArguments = { readonly [K in CallName]: Parameters<Port[K]> };
export type CallResults = { readonly [K in CallName]: Awaited<ReturnType<Port[K]>> };

/**
 * Calls that need no savepoint: one statement fails as a whole, and the blocks of events have nothing to contradict. What else can
 * fail (the disk) ends the transaction for all.
 */
export const NOTHING_TO_UNDO: ReadonlySet<CallName> = new Set([
  'claimLease',
  'saveSession',
  'saveObserved',
  'appendEvents',
]);

/** Events that cost as much as a row of their own: with the many others they share one. */
const EVENTS_OF_A_ROW = 16;

/** Nobody waits for these before a packet leaves: leases overtake them. What they cost, in rows. */
export function backgroundRows(call: Call): number | undefined {
  if (call.name === 'saveSession' || call.name === 'saveObserved') return 1;
  return call.name === 'appendEvents' ? 1 + Math.floor(call.args[0].count / EVENTS_OF_A_ROW) : undefined;
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
    ...standbyCalls,
    ...serverCalls,
  };
}
