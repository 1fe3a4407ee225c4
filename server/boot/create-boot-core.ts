import type { DownloadLimits } from '../domain/download-limits.js';
import type { Ipv4 } from '../domain/ipv4.js';
import type { Mac } from '../domain/mac.js';
import type { Snapshot, Store } from '../domain/ports.js';
import type { ServerIdentity, Subnet, UnknownPolicy } from '../domain/site.js';
import type { State } from '../state/state.js';
import { Boot } from './boot.js';
import { Claimants } from './claimants.js';
import { Claims } from './claims.js';
import { ControlDoors } from './control-doors.js';
import { DownloadQueue } from './download-queue.js';
import { Downloads } from './downloads.js';
import { Drifts } from './drifts.js';
import { type BootLog, EventLog } from './event-log.js';
import { LiveChanges } from './live-changes.js';
import { LostWatch } from './lost-watch.js';
import { MachineReports } from './machine-reports.js';
import type { NameSpaceDeps } from './name-space.js';
import { Observations } from './observations.js';
import { Planner, type SitePolicy } from './planner.js';
import type { RenderProfile } from './scripts.js';
import { Sessions } from './sessions.js';
import { Standby } from './standby.js';
import { type RenderText, SystemDefinitions } from './system-definitions.js';
import { SystemReports } from './system-reports.js';
import { Views } from './views.js';

export interface BootCoreOptions {
  readonly store: Store;
  readonly snapshot: Snapshot;
  readonly state: State;
  readonly identity: ServerIdentity;
  readonly subnets: readonly Subnet[];
  readonly unknown: UnknownPolicy;
  readonly downloads?: DownloadLimits;
  /** How many machines change at once while they run; default 32. */
  readonly changesAtOnce?: number;
  /** Secret of this server, from which nonces and credentials are derived. */
  readonly key: string;
  readonly files: Omit<NameSpaceDeps, 'identity' | 'script'>;
  readonly renderProfile: RenderProfile;
  readonly renderText: RenderText;
  readonly leaseAddress: (mac: Mac) => Ipv4 | undefined;
  /** Who has this address on the wire now, if the kernel knows; asked in proxy mode. */
  readonly neighbour?: (address: Ipv4) => Mac | undefined;
  readonly controlKeys?: () => readonly string[];
  readonly renewLease: (mac: Mac) => Promise<void>;
  readonly log: BootLog;
  /** Epoch ms. */
  readonly clock: () => number;
  /** Ms that never jump; default: CLOCK_MONOTONIC. */
  readonly monotonic?: () => number;
  readonly newId: () => string;
}

export interface BootCore {
  readonly boot: Boot;
  readonly lost: LostWatch;
  readonly views: Views;
  readonly reports: MachineReports;
  readonly systems: SystemReports;
  readonly definitions: SystemDefinitions;
  readonly doors: ControlDoors;
  readonly downloads: Downloads;
  readonly downloadQueue: DownloadQueue;
  readonly claims: Claims;
  readonly sessions: Sessions;
  readonly standby: Standby;
  readonly events: EventLog;
  /** The configuration was read again. */
  readonly configure: (policy: SitePolicy) => void;
}

const CHANGES_AT_ONCE = 32;

/** Wires the parts of the boot core; starts nothing (sessions.start() does). */
export function createBootCore(options: BootCoreOptions): BootCore {
  const { store, snapshot, state, log, clock } = options;
  const events = new EventLog(store, log, clock);
  const sessions = new Sessions(state, store, events, { log, clock, newId: options.newId });
  const observations = new Observations(state, store, log, clock);
  const claims = new Claims(options.key, store, snapshot.claims, clock);
  observations.onForgotten = (key) => {
    const session = sessions.forget(key);
    if (session === undefined) return;
    claims
      .revoke(session.id)
      .catch((error: unknown) => log.error({ error, key }, 'a nonce of a forgotten machine could not be revoked'));
  };
  const planner = new Planner({
    state,
    identity: options.identity,
    subnets: options.subnets,
    unknown: options.unknown,
  });
  const common = { state, sessions, observations, planner, log, clock };
  const { renderProfile, files, neighbour, leaseAddress } = options;
  const downloadQueue = new DownloadQueue({
    clock,
    limits: options.downloads,
    goesOn: (key, session) => sessions.goesOn(key, session),
  });
  const boot = new Boot({ ...common, downloadQueue, claims, events, renderProfile, files, neighbour });
  const claimants = new Claimants(common);
  const monotonic = options.monotonic ?? (() => performance.now());
  const { roleLeases } = snapshot;
  const standby = new Standby({ ...common, store, events, monotonic, roleLeases });
  const drifts = new Drifts({ ...common, renderText: options.renderText });
  const changes = new LiveChanges({ ...common, drifts, atOnce: options.changesAtOnce ?? CHANGES_AT_ONCE });
  const systems = new SystemReports({ ...common, changes, claims, claimants, standby, renewLease: options.renewLease });
  const where = { neighbour, leaseAddress };
  const reports = new MachineReports({
    ...common,
    drifts,
    ...where,
    downloadQueue,
    claims,
    claimants,
    events,
    systems,
    standby,
  });
  const definitions = new SystemDefinitions(claimants, planner, options.renderText);
  const doors = new ControlDoors({ ...common, claimants, keys: options.controlKeys ?? (() => []) });
  const downloads = new Downloads(claimants, planner, sessions, downloadQueue);
  const views = new Views({
    ...common,
    boot,
    events,
    drifts,
    changes,
    standby,
    renderProfile: options.renderProfile,
    leaseAddress,
    serverStartedAt: clock(),
  });
  const lost = new LostWatch({ observed: state.observed, sessions, events, statusOf: (key) => views.statusOf(key) });
  return {
    boot,
    lost,
    views,
    reports,
    systems,
    definitions,
    doors,
    downloads,
    downloadQueue,
    claims,
    sessions,
    standby,
    events,
    configure: (policy) => {
      planner.configure(policy);
      if (policy.changesAtOnce !== undefined) changes.configure(policy.changesAtOnce);
      if (policy.downloads !== undefined) downloadQueue.configure(policy.downloads);
    },
  };
}
