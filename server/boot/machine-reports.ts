import { parseChoice } from '../decide/boot-menu.js';
import { PART_FILES } from '../decide/boot-plan.js';
import { HEARTBEAT_SECONDS } from '../decide/machine-status.js';
import type { BootSession, BootStage, Claim } from '../domain/boot-session.js';
import { AnybiosError, invalid } from '../domain/errors.js';
import { formatIpv4, type Ipv4 } from '../domain/ipv4.js';
import type { Observed } from '../domain/machine.js';
import { type ClaimPlaceDeps, strangerReason } from './claim-place.js';
import type { Claimants } from './claimants.js';
import type { Claims } from './claims.js';
import type { DownloadQueue } from './download-queue.js';
import type { Drifts } from './drifts.js';
import type { EventLog } from './event-log.js';
import { type AnswerLines, count, dataOf, fileLines, type Lines, one, TEXT_LIMIT, word } from './machine-lines.js';
import type { Observations } from './observations.js';
import type { Planner } from './planner.js';
import type { Sessions } from './sessions.js';
import type { Standby } from './standby.js';
import type { SystemReports } from './system-reports.js';

export interface MachineReportsDeps extends ClaimPlaceDeps {
  readonly sessions: Sessions;
  readonly observations: Observations;
  readonly claims: Claims;
  readonly planner: Planner;
  readonly drifts: Drifts;
  readonly claimants: Claimants;
  readonly systems: SystemReports;
  readonly downloadQueue: DownloadQueue;
  readonly events: EventLog;
  readonly standby: Standby;
  readonly clock: () => number;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const REPORT_STAGES: readonly BootStage[] = ['stage1', 'rootfs', 'live', 'systems'];
const isReportStage = (word: string | undefined): word is BootStage => REPORT_STAGES.some((stage) => stage === word);

/** What stage 1 and the live OS tell and ask, in the order of a boot. Every method takes the claim that the credential proved. */
export class MachineReports {
  readonly #deps: MachineReportsDeps;

  constructor(deps: MachineReportsDeps) {
    this.#deps = deps;
  }

  /** Nonce for credential, and everything stage 1 needs to go on. Throws `unauthorized` with the reason. */
  async claim(lines: Lines, address: Ipv4): Promise<AnswerLines> {
    const { claims, sessions, observations, planner, events } = this.#deps;
    const nonce = one(lines, 'nonce');
    const claimId = one(lines, 'claim-id');
    if (!/^[A-Za-z0-9-]{8,64}$/.test(claimId))
      throw invalid('claim-id must have 8 to 64 letters, digits or dashes', { field: 'claim-id' });
    const sessionIfAny = (its: Claim): BootSession | undefined => this.#deps.claimants.sessionIfAny(its);
    const result = await claims.claim(
      nonce,
      claimId,
      (its) => sessionIfAny(its) !== undefined,
      (its) => {
        const session = sessionIfAny(its);
        return session === undefined ? undefined : strangerReason(session, address, this.#deps);
      },
    );
    if (result.kind === 'refused') {
      const session = result.claim === undefined ? undefined : sessionIfAny(result.claim);
      const data = { address: formatIpv4(address), reason: result.reason };
      const message = `claim from ${data.address} refused: ${result.reason}`;
      if (session !== undefined) sessions.event(session, 'http', 'claim.refused', message, data, 'warning');
      else events.record({ source: 'http', kind: 'claim.refused', level: 'warning', message, data });
      throw new AnybiosError('unauthorized', result.reason, { remedy: 'boot the machine again' });
    }
    const { claim } = result;
    const session = sessions.resume(this.#deps.claimants.sessionOf(claim));
    const machine = this.#deps.claimants.machineOf(claim);
    const choice = parseChoice(lines.get('choice')?.[0]);
    const plan = planner.plan(claim.mac, machine, { address: session.address, session: session.id, choice });
    if (plan.kind !== 'boot') {
      const reason = plan.reason;
      const diagnosis = (plan.kind === 'none' ? plan.diagnosis : undefined) ?? {
        name: 'nothing-to-boot',
        message: `the machine claimed its boot, but ${reason}`,
        remedy: 'anybios machine explain NAME',
      };
      sessions.fail(session, 'http', diagnosis);
      throw new AnybiosError('unauthorized', reason, { remedy: 'anybios machine explain NAME' });
    }
    const secure = lines.get('secureboot')?.[0];
    const facts: { -readonly [K in keyof Observed]?: Observed[K] } = {
      ...(secure === 'on' || secure === 'off' || secure === 'none' ? { secureBoot: secure } : {}),
      ...(UUID.test(lines.get('uuid')?.[0] ?? '') ? { uuid: one(lines, 'uuid').toLowerCase() } : {}),
      waiting: plan.mode === 'discover',
    };
    observations.update(session.key, claim.mac, {
      ...facts,
      systems: [],
      upSince: undefined,
      control: undefined,
      unmanaged: false,
    });
    // Where another server gives the addresses, the OS may get another one than the firmware; the claim proves that it is ours.
    const moved = session.dhcpMode === 'proxy' ? { address } : {};
    const { images } = plan;
    const chosen = choice === undefined ? session : { ...session, choice };
    const booted = machine === undefined ? undefined : this.#deps.drifts.bootedAs(machine, chosen);
    const claimed = sessions.step(session, {
      stage: 'stage1',
      claimedAt: this.#deps.clock(),
      ...(choice === undefined ? {} : { choice }),
      images,
      booted,
      ...moved,
    });
    if (!result.repeated)
      sessions.event(
        claimed,
        'stage1',
        'stage1.claimed',
        `stage 1 of ${plan.name} claimed its boot`,
        dataOf(lines, ['nonce', 'claim-id']),
      );
    if (plan.mode === 'discover') {
      sessions.event(claimed, 'stage1', 'machine.waiting', `${claim.mac} waits for approval`, {}, 'warning');
    }
    const profile = this.#deps.claimants.profileOf(claim.mac, machine);
    const lease = await this.#deps.standby.claimed(machine, claim);
    return [
      ['credential', result.credential],
      ['session', session.id],
      ['machine', plan.name],
      ['mode', plan.mode],
      ...(lease.length === 0 ? [['heartbeat-seconds', HEARTBEAT_SECONDS] as const] : lease),
      ['failure-policy', profile?.failure.policy ?? 'reboot'],
      ['failure-delay-seconds', profile?.failure.delaySeconds ?? 30],
      ...fileLines('rootfs', plan.rootfs),
      ...fileLines('modules', plan.modules),
      ...plan.systems.map((s) => ['system', s.system.name] as const),
    ];
  }

  /** One step. Throws `invalid` for words that are not in the protocol. */
  async report(claim: Claim, lines: Lines): Promise<void> {
    const { sessions, observations } = this.#deps;
    const stage = one(lines, 'stage');
    const step = word(lines, 'step');
    if (!isReportStage(stage))
      throw invalid(`"${stage}" is not a stage`, { field: 'stage', remedy: `one of ${REPORT_STAGES.join(', ')}` });
    const session = this.#deps.claimants.sessionOf(claim);
    await this.#deps.standby.heard(session.key);
    const source = stage === 'stage1' || stage === 'rootfs' ? 'stage1' : 'live';
    const data = dataOf(lines, ['stage', 'step', 'message']);
    const message = lines.get('message')?.[0]?.slice(0, TEXT_LIMIT);
    if (step === 'failed') {
      sessions.fail(sessions.step(session, { stage }), source, failureOf(stage, message ?? 'no reason given'));
      return;
    }
    if (step === 'fetching') this.#deps.downloadQueue.alive(session.key);
    if (stage === 'rootfs' && step === 'mounted') this.#deps.downloadQueue.done(session.key);
    if (stage === 'rootfs' && step === 'fetching') return this.#progress(session, lines);
    if (stage === 'systems' && step === 'handed-over')
      return await this.#deps.systems.handedOver(claim, session, lines);
    if (stage === 'systems' && step === 'state') return this.#deps.systems.systemState(session, claim, lines);
    if (stage === 'live' && step === 'started')
      observations.update(session.key, claim.mac, {
        upSince: this.#deps.clock(),
        heartbeatAt: this.#deps.clock(),
        systems: [],
      });
    const next = sessions.step(session, { stage, progress: undefined });
    sessions.event(next, source, `${stage}.${step}`, message ?? `${stage}: ${step}`, data);
    if (stage === 'live' && step === 'started') this.#deps.systems.succeedWhenAllRun(next);
  }

  inventory(claim: Claim, lines: Lines): void {
    const { observations, sessions } = this.#deps;
    const inventory: Record<string, string> = {};
    for (const [key, values] of lines) inventory[key.slice(0, 64)] = values.join('\n').slice(0, 4096);
    const session = this.#deps.claimants.sessionOf(claim);
    observations.update(session.key, claim.mac, { inventory });
    sessions.event(
      sessions.step(session, {}),
      'stage1',
      'machine.inventory',
      `inventory of ${session.key}: ${inventory.product ?? 'unknown product'}`,
      inventory,
    );
  }

  /** A machine held for approval asks what to do. */
  next(claim: Claim): AnswerLines {
    const { planner, sessions } = this.#deps;
    const machine = this.#deps.claimants.machineOf(claim);
    const assignment = planner.assignment(claim.mac, machine);
    const session = sessions.openOf(this.#deps.claimants.keyOf(claim));
    if (assignment.kind !== 'discover') {
      if (session !== undefined) sessions.succeed(session);
      return [['action', 'reboot']];
    }
    if (session !== undefined) sessions.step(session, {}, false);
    return [
      ['action', 'wait'],
      ['seconds', 5],
    ];
  }

  #progress(session: BootSession, lines: Lines): void {
    const bytes = count(lines.get('bytes')?.[0], 'bytes');
    const total = count(lines.get('total')?.[0], 'total');
    const file = lines.get('file')?.[0]?.slice(0, 255) ?? PART_FILES.rootfs;
    const tenth = (b: number): number => (total > 0 ? Math.floor((10 * b) / total) : 0);
    const before = session.progress?.file === file ? session.progress.bytes : -1;
    const next = this.#deps.sessions.step(session, { stage: 'rootfs', progress: { file, bytes, total } }, false);
    // The timeline keeps tenths; the progress itself is in the session, read by whoever looks.
    if (before < 0 || tenth(bytes) > tenth(before)) {
      this.#deps.sessions.event(
        next,
        'stage1',
        'rootfs.fetching',
        `${file}: ${total > 0 ? Math.round((100 * bytes) / total) : 0} %`,
        { file, bytes, total },
      );
    }
  }
}

function failureOf(stage: BootStage, message: string) {
  const wrongDigest = /sha256|digest/i.test(message);
  const name = wrongDigest ? 'digest-mismatch' : `${stage}-failed`;
  const remedy = wrongDigest
    ? 'the image on the server is damaged or was changed: anybios image list, then import it again'
    : 'see the machine’s console; the role parameter break gives a shell there';
  return { name, message, remedy };
}
