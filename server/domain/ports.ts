import type { BootSession, Claim } from './boot-session.js';
import type { Change, DesiredState } from './desired.js';
import type { BootEvent, NewEvent } from './event.js';
import type { Image, TagMove } from './image.js';
import type { Ipv4 } from './ipv4.js';
import type { Job, JobState } from './job.js';
import type { Lease } from './lease.js';
import type { Observed } from './machine.js';
import type { Holding, RoleLease, StandbyChange } from './standby.js';

/** Everything the in-memory state is made from at start. */
export interface Snapshot extends DesiredState {
  readonly images: readonly Image[];
  readonly leases: readonly Lease[];
  readonly observed: readonly Observed[];
  /** The newest session of each key. */
  readonly sessions: readonly BootSession[];
  /** Claims that are not revoked. */
  readonly claims: readonly Claim[];
  readonly holdings: readonly Holding[];
  readonly roleLeases: readonly RoleLease[];
  /** API tokens: sha256 of the token -> name. */
  readonly tokens: readonly TokenRecord[];
  /** Sequence of the newest change, for changesSince. */
  readonly sequence: number;
}

/** Who did something, and when. */
export interface Who {
  readonly by: string;
  /** Epoch milliseconds. */
  readonly at: number;
}

export interface TokenRecord {
  readonly name: string;
  /** sha256 hex of the token; the token itself is shown once. */
  readonly hash: string;
  readonly createdAt: number;
}

export interface EventFilter {
  readonly session?: string;
  readonly machine?: string;
  readonly mac?: string;
  readonly source?: string;
  readonly level?: string;
  /** Only events with a larger sequence. */
  readonly after?: number;
  readonly limit: number;
  /** Newest first instead of oldest first. */
  readonly newestFirst?: boolean;
}

export interface SessionFilter {
  readonly key?: string;
  /** Only sessions opened before this epoch ms (paging, newest first). */
  readonly before?: number;
  readonly limit: number;
}

export interface JobFilter {
  readonly machine?: string;
  readonly batch?: string;
  readonly state?: JobState;
  /** `queued` and `sent`. */
  readonly open?: boolean;
  /** Only jobs made before this epoch ms (paging, newest first). */
  readonly before?: number;
  readonly limit: number;
}

/**
 * The one door to what is kept. Every call is a promise that settles when the data is durable (`synchronous=FULL`); a failure
 * rejects with `unavailable`, never with "not found". Two drivers are planned: SQLite (embedded) and PostgreSQL.
 */
export interface Store {
  load(): Promise<Snapshot>;
  /** All changes or none; resolves to the change sequence. `by` is who asked. */
  applyDesired(changes: readonly Change[], by: string): Promise<number>;
  /** Changes of other servers since `sequence` (one embedded server sees its own only). */
  changesSince(
    sequence: number,
  ): Promise<readonly { readonly sequence: number; readonly kind: string; readonly name: string }[]>;

  /** Writes the lease if the address is free, or holds exactly what `expected` says (undefined = no row). */
  claimLease(lease: Lease, expected: Lease | undefined): Promise<'ok' | 'conflict'>;
  /** What stands there now; another server may have written it. */
  lease(address: Ipv4): Promise<Lease | undefined>;
  removeLease(address: Ipv4): Promise<void>;

  /** `who` goes into the history of the tags; absent = the server itself, now. */
  saveImage(image: Image, who?: Who): Promise<void>;
  removeImage(name: string, version: string, who?: Who): Promise<void>;
  /** Moves `tag` to `version`, away from every other version of `name`; `version` undefined = takes it away. */
  tagImage(name: string, version: string | undefined, tag: string, who?: Who): Promise<void>;
  /** Newest first; of one name or of all. */
  tagMoves(name?: string): Promise<readonly TagMove[]>;

  saveObserved(observed: Observed): Promise<void>;
  removeObserved(key: string): Promise<void>;
  /** A machine that was only discovered: what was observed of it, and its boot sessions. */
  forgetStranger(key: string): Promise<void>;
  saveSession(session: BootSession): Promise<void>;
  sessions(filter: SessionFilter): Promise<readonly BootSession[]>;
  session(id: string): Promise<BootSession | undefined>;
  saveClaim(claim: Claim): Promise<void>;
  /** The sequence number of the first one; the others follow it one by one. */
  appendEvents(events: readonly NewEvent[]): Promise<number>;
  events(filter: EventFilter): Promise<readonly BootEvent[]>;
  saveToken(token: TokenRecord): Promise<void>;
  removeToken(name: string): Promise<void>;
  /** All or none; the same id again replaces it. `output` goes with one job: what is kept of what it wrote. */
  saveJobs(jobs: readonly Job[], output?: string): Promise<void>;
  /** Newest first, without outputs. */
  jobs(filter: JobFilter): Promise<readonly Job[]>;
  job(id: string): Promise<{ readonly job: Job; readonly output: string } | undefined>;
  /** Who holds whose role, and the leases that may be out; all or nothing. */
  saveStandby(change: StandbyChange): Promise<void>;
  /** A value of the server itself (keys, shipped asset versions). */
  setting(key: string): Promise<string | undefined>;
  saveSetting(key: string, value: string): Promise<void>;
  close(): Promise<void>;
}
