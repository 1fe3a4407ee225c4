import type { RequestHandler, Router } from 'express';
import type { MachineEffects } from '../boot/drifts.js';
import type { Explanation } from '../boot/explain.js';
import type { MachineView } from '../boot/views.js';
import type { Jobs } from '../control/jobs.js';
import type { Change, DesiredState } from '../domain/desired.js';
import type { Digest } from '../domain/digest.js';
import type { BootEvent, NewEvent } from '../domain/event.js';
import type { HeardFact } from '../domain/heard-fact.js';
import type { Ipv4 } from '../domain/ipv4.js';
import type { Lease } from '../domain/lease.js';
import type { Mac } from '../domain/mac.js';
import type { Store } from '../domain/ports.js';
import type { Subnet } from '../domain/site.js';
import type { PoolUsage } from '../state/pools.js';
import type { State } from '../state/state.js';
import type { DesiredWriter } from './desired-writer.js';
import type { Tokens } from './tokens.js';

/** Events as they become durable: every listener gets each one once, in sequence order, after the store has it. */
export interface EventFeed {
  /** Returns the function that ends the subscription. Listeners must not throw and must not block. */
  subscribe(listener: (event: BootEvent) => void): () => void;
  /** Notes a change made through the API; does not wait until it is durable. */
  record(event: Omit<NewEvent, 'at'>): void;
}

/** What the API needs of the boot core. Readings are synchronous and in memory. */
export interface BootViews {
  /** Keys of all machines, known and discovered; not those that `unknownMachines: ignore` leaves unlisted. */
  machineKeys(): Iterable<string>;
  /** By key. `undefined` = there is no such machine. */
  machineView(key: string): MachineView | undefined;
  /** What changes of the desired state do to the machines that run now, for those to which they matter. */
  effects(before: DesiredState, after: DesiredState, changes: readonly Change[]): Promise<readonly MachineEffects[]>;
  /** By key; throws `not_found`, or `conflict` with the reason when nothing can be given. */
  explain(key: string): Explanation;
  /**
   * The script that this machine would get from this profile, for people: it holds no live nonce and opens no session.
   * Throws `not_found` for unknown names and `invalid` when the profile cannot be rendered for the machine.
   */
  renderFor(profile: string, machine: string, loader: 'ipxe' | 'grub'): string;
  /** Before anything is stored. Throws `conflict` with the reason. */
  refuseChanges(changes: readonly Change[], after: DesiredState): void;
  /** What a machine holds goes to another (docs/systems.md, "Spares and moves"). Throws `conflict` with the reason. */
  handOver(name: string, to: string | undefined, by: string): Promise<void>;
  /** A person says that it is switched off. Throws `conflict` while it is heard. */
  confirmOff(name: string, by: string): Promise<void>;
  /**
   * Called after store and state have the changes: carries what was observed under a MAC over to a new machine (a waiting one
   * counts as approved and is told to reboot), and back when a machine is removed; records one event per change.
   */
  desiredChanged(changes: readonly Change[], by: string): Promise<void>;
  /** Drops what was observed of a machine that is only discovered. */
  forget(mac: Mac, by: string): Promise<void>;
}

export type ImageFileState = 'ok' | 'damaged' | 'missing';

export interface ImageProgress {
  readonly bytes: number;
  readonly total?: number;
  /** Of a download: the URL that the bytes come from now. */
  readonly from?: string;
}

export interface ImageCallOptions {
  readonly onProgress?: (progress: ImageProgress) => void;
  readonly signal?: AbortSignal;
}

/** The content-addressed files (images/image-keeper.ts). Their bytes are read and written by another process. */
export interface ImageFiles {
  /** Size of a stored file in bytes; `undefined` = not there. */
  size(digest: Digest): Promise<number | undefined>;
  /** Every file, with how long it has been there. */
  list(): Promise<readonly { readonly digest: Digest; readonly size: number; readonly ageMs: number }[]>;
  /** Downloads a URL. Rejects with `invalid`, `not_found`, `unavailable`; with `conflict` when it was cancelled. */
  fetch(
    request: { readonly url: string; readonly expectedDigest?: Digest; readonly maxBytes: number },
    options: ImageCallOptions,
  ): Promise<{ readonly digest: Digest; readonly size: number; readonly url: string; readonly address: string }>;
  /** Reads all of it; a damaged file is not served any more. */
  verify(digest: Digest, options: ImageCallOptions): Promise<ImageFileState>;
  /** Answers those that were there; one that came in less than `quietMs` ago stays. */
  remove(digests: readonly Digest[], quietMs?: number): Promise<readonly Digest[]>;
  /** Bytes of downloads that nobody went on with for so long; removed unless `dryRun`. */
  clearPartial(quietMs: number, dryRun: boolean): Promise<number>;
}

/** Where the app writes what someone must act on. A pino logger fits. */
export interface ApiLog {
  error(data: object, message: string): void;
}

/** All that createApp is made of. */
export interface ApiDeps {
  readonly state: State;
  readonly store: Store;
  readonly events: EventFeed;
  readonly boot: BootViews;
  readonly images: ImageFiles;
  /** Told after a verification or an upload: looks which files are damaged now. */
  readonly damageChanged: () => Promise<void>;
  readonly leases: () => Iterable<Lease>;
  /** How full the pools are. `now`: epoch seconds. */
  readonly poolUsage: (now: number) => readonly PoolUsage[];
  /** Ends a lease or quarantine before its time; `undefined` = nothing is on record. */
  readonly releaseLease: (address: Ipv4) => Promise<Lease | undefined>;
  /** What was heard about the network; absent = nothing listens. */
  readonly heard?: () => Iterable<HeardFact>;
  readonly jobs: Jobs;
  /** The one way by which the desired state changes. */
  readonly writer: DesiredWriter;
  /** Ids that nobody has yet. */
  readonly newId: () => string;
  readonly tokens: Tokens;
  /** Reserved addresses are checked against these. */
  readonly subnets: readonly Subnet[];
  /** What is wrong with a template of a system's `files`, or undefined (render). */
  readonly templateFault: (text: string) => string | undefined;
  /** What URLs of boots begin with: it counts in the length of kernel command lines. */
  readonly bootUrl: string;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  /** Lines for /metrics of parts that the API knows nothing of. */
  readonly moreMetrics?: () => readonly string[];
  /** What is not ready yet, as sentences; empty = ready. */
  readonly notReady: () => readonly string[];
  /** Aborted when the server shuts down: event streams end. */
  readonly closing: AbortSignal;
  /** Routers of the machine side (`/boot`, `/agent/v1`, `/files`), mounted before the API, without a token. */
  readonly machineRoutes: readonly { readonly path: string; readonly router: Router }[];
  /** What answers a path that is nothing else; absent = it is not found. */
  readonly otherNames?: RequestHandler;
  readonly log: ApiLog;
  /** Version of the product, for openapi.json and /metrics. */
  readonly version: string;
}
