import { CHAINLOAD_LOOP_FETCHES, diagnoseLoop } from '../decide/diagnose.js';
import { LOADER_FILES } from '../decide/loader.js';
import type { BootSession } from '../domain/boot-session.js';
import type { Digest } from '../domain/digest.js';
import type { Json } from '../domain/event.js';
import { formatIpv4 } from '../domain/ipv4.js';
import type { State } from '../state/state.js';
import type { BootFile, Requester, TransferReport } from './contract.js';
import type { DownloadQueue } from './download-queue.js';
import type { EventLog } from './event-log.js';
import { isRoutineMiss } from './name-space.js';
import type { Planner } from './planner.js';
import type { ProxyMemory } from './proxy-memory.js';
import type { Sessions } from './sessions.js';

/** First-stage loaders of this server: their fetch is the `loader` stage. grubx64.efi is the second half of shim's. */
export const FIRST_LOADERS: ReadonlySet<string> = new Set(Object.values(LOADER_FILES));

export interface TransfersDeps {
  readonly state: State;
  readonly sessions: Sessions;
  readonly planner: Planner;
  readonly events: EventLog;
  readonly proxy: ProxyMemory;
  readonly downloadQueue: DownloadQueue;
}

/** What the transfers of files say of a boot. */
export class Transfers {
  readonly #deps: TransfersDeps;

  constructor(deps: TransfersDeps) {
    this.#deps = deps;
  }

  took(report: TransferReport): void {
    const { sessions, state } = this.#deps;
    const session = sessions.byAddress(report.requester.address);
    if (session === undefined || session.closedAt !== undefined) {
      if (report.phase !== 'failed') return;
      // Of a file that was opened the size is known.
      if (report.total > 0) this.#brokeOff(report);
      else this.refusedName(report.requester, report.name, report.reason ?? 'no reason');
      return;
    }
    if (report.phase === 'progress') this.#deps.downloadQueue.alive(session.key);
    const base = report.name.replace(/\/+$/, '').split('/');
    const last = (base.at(-1) ?? '').toLowerCase();
    const digest = base.find((segment) => /^[0-9a-f]{64}$/.test(segment));
    const isLoader = this.#isLoader(report.name, last, session);
    const isKernel = digest !== undefined && state.imageByDigest(digest as Digest)?.kind === 'kernel';
    const stage = isKernel ? 'kernel' : isLoader ? 'loader' : undefined;
    const { protocol } = report.requester;
    if (report.phase === 'progress') {
      sessions.step(
        session,
        {
          ...(stage === undefined ? {} : { stage }),
          progress: { file: last, bytes: report.bytes, total: report.total },
        },
        false,
      );
      return;
    }
    if (isLoader && report.phase !== 'failed') this.#deps.proxy.fetched(session);
    const fetched = isLoader && report.phase === 'sent' ? session.loaderFetches + 1 : session.loaderFetches;
    const next = sessions.step(session, {
      ...(stage === undefined ? {} : { stage }),
      loaderFetches: fetched,
      progress: undefined,
    });
    const speed = report.milliseconds > 0 ? report.bytes / report.milliseconds / 1000 : 0;
    const words: Record<typeof report.phase, string> = {
      started: `sending ${last}`,
      sent: `sent ${last}: ${report.bytes} bytes in ${report.milliseconds} ms (${speed.toFixed(1)} MB/s)`,
      probed: `${last}: the firmware asked for the size only`,
      failed: `${last} broke off after ${report.bytes} of ${report.total} bytes: ${report.reason ?? 'no reason'}`,
    };
    const data = { file: report.name, bytes: report.bytes, total: report.total, milliseconds: report.milliseconds };
    sessions.event(
      next,
      protocol,
      `${protocol}.${report.phase}`,
      words[report.phase],
      data,
      report.phase === 'failed' ? 'warning' : 'info',
    );
    if (fetched >= CHAINLOAD_LOOP_FETCHES && fetched > session.loaderFetches) {
      const loop = diagnoseLoop(next);
      if (loop !== undefined) sessions.fail(next, protocol, loop);
    }
  }

  /** The first file of a boot: a shipped loader, or one that somebody set for this machine. */
  #isLoader(name: string, last: string, session: BootSession): boolean {
    if (FIRST_LOADERS.has(last)) return true;
    const { state, planner } = this.#deps;
    const machine = session.machine === undefined ? undefined : state.machines.get(session.machine);
    const assignment = planner.assignment(session.mac, machine);
    const settings = [
      machine?.bootFiles,
      assignment.kind === 'none' ? undefined : assignment.profile.bootFiles,
      planner.subnetOf(session.address)?.bootFiles,
    ];
    const asked = name.replace(/^\/+/, '');
    return settings.some((files) =>
      Object.values(files ?? {}).some((file) => asked === file.replace(/^\/+/, '') || asked === `files/${file}`),
    );
  }

  /** A transfer to an address that no boot is known to have. */
  #brokeOff({ requester: { protocol, address }, name, bytes, total, reason = 'no reason' }: TransferReport): void {
    this.#deps.events.record({
      source: protocol,
      kind: `${protocol}.failed`,
      level: 'warning',
      message: `${name.slice(0, 100)} to ${formatIpv4(address)} broke off after ${bytes} of ${total} bytes: ${reason}`,
      data: { file: name.slice(0, 100), address: formatIpv4(address), bytes, total },
    });
  }

  /** A request that the shell itself refused. */
  refusedName(requester: Requester, name: string, reason: string): void {
    this.refused({ kind: 'none', name: name.slice(0, 100), code: 'invalid', reason }, requester);
  }

  refused(file: Extract<BootFile, { kind: 'none' }>, requester: Requester): void {
    const { events, sessions } = this.#deps;
    const session = sessions.byAddress(requester.address);
    const level = isRoutineMiss(file.name) ? 'info' : 'warning';
    const data: Record<string, Json> = { file: file.name, address: formatIpv4(requester.address), code: file.code };
    const message = `${file.name} refused to ${formatIpv4(requester.address)}: ${file.reason}`;
    if (session?.closedAt === undefined && session !== undefined)
      sessions.event(session, requester.protocol, `${requester.protocol}.refused`, message, data, level);
    else events.record({ source: requester.protocol, kind: `${requester.protocol}.refused`, level, message, data });
  }
}
