import type { Kysely } from 'kysely';
import type { Store } from '../domain/ports.js';
import { bootCalls } from './calls/boots.js';
import { desiredCalls } from './calls/desired.js';
import { eventCalls } from './calls/events.js';
import { imageCalls } from './calls/images.js';
import { leaseCalls } from './calls/leases.js';
import { serverCalls } from './calls/server.js';
import { loadSnapshot } from './calls/snapshot.js';
import type { Tables } from './tables.js';

/** The calls of the port that a driver answers; `close` ends the thread and is not one of them. */
export type CallName = Exclude<keyof Store, 'close'>;
export type CallArguments = { readonly [K in CallName]: Parameters<Store[K]> };
export type CallResults = { readonly [K in CallName]: Awaited<ReturnType<Store[K]>> };

/** Each call as queries on a connection that is inside a transaction. Nothing in them is SQLite's own. */
export type Calls = {
  readonly [K in CallName]: (database: Kysely<Tables>, ...args: CallArguments[K]) => Promise<CallResults[K]>;
};

/** How much history is kept; the rest is pruned as new rows come in. */
export interface Limits {
  /** Newest events kept. */
  readonly events: number;
  /** Newest boot sessions kept; the newest of each machine always is. */
  readonly sessions: number;
}

/** `database` only serves to build the queries of the hot path once. */
export function createCalls(database: Kysely<Tables>, limits: Limits): Calls {
  return {
    load: loadSnapshot,
    ...desiredCalls,
    ...leaseCalls(database),
    ...imageCalls,
    ...bootCalls(database, limits.sessions),
    ...eventCalls(database, limits.events),
    ...serverCalls,
  };
}
