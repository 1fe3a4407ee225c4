import { type BootPlan, PART_FILES } from '../decide/boot-plan.js';
import { HEARTBEAT_SECONDS } from '../decide/machine-status.js';
import type { BootSession, BootStage, Claim } from '../domain/boot-session.js';
import { AnybiosError, invalid, notFound } from '../domain/errors.js';
import type { Json } from '../domain/event.js';
import { formatIpv4, type Ipv4 } from '../domain/ipv4.js';
import type { Mac } from '../domain/mac.js';
import type { Machine, Observed, ObservedSystem } from '../domain/machine.js';
import { REPORTED_SYSTEM_STATES, type SystemState } from '../domain/system.js';
import type { State } from '../state/state.js';
import type { Claims } from './claims.js';
import type { EventLog } from './event-log.js';
import type { Observations } from './observations.js';
import type { Planner } from './planner.js';
import type { Sessions } from './sessions.js';

/** Lines of the machine protocol: key -> values in order (docs/booting.md). */
export type Lines = ReadonlyMap<string, readonly string[]>;
export type AnswerLines = readonly (readonly [key: string, value: string | number])[];

export interface RenderedFile {
  /** Absolute path inside the system. */
  readonly path: string;
  readonly text: string;
}

export interface MachineReportsDeps {
  readonly state: State;
  readonly sessions: Sessions;
  readonly observations: Observations;
  readonly claims: Claims;
  readonly planner: Planner;
  readonly events: EventLog;
  readonly clock: () => number;
  /** Renders one file of a system; throws `invalid`. */
  readonly renderText: (name: string, template: string, data: object) => string;
  /** Extends the lease of a machine that keeps its address statically. */
  readonly renewLease: (mac: Mac) => Promise<void>;
}

/** A step or a system, by name: both become part of an event's kind or of the machine's state. */
const WORD = /^[a-z0-9][a-z0-9-]{0,62}$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** As many as a role may name. */
const SYSTEMS_LIMIT = 64;
/** Letters of one value that an event keeps. */
const TEXT_LIMIT = 4096;

const REPORT_STAGES: readonly BootStage[] = ['stage1', 'rootfs', 'live', 'systems'];
const isReportStage = (word: string | undefined): word is BootStage => REPORT_STAGES.some((stage) => stage === word);
const isSystemState = (word: string | undefined): word is SystemState =>
  REPORTED_SYSTEM_STATES.some((state) => state === word);

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
    const result = await claims.claim(nonce, claimId, (its) => this.#sessionIfAny(its) !== undefined);
    if (result.kind === 'refused') {
      const session = result.claim === undefined ? undefined : this.#sessionIfAny(result.claim);
      const data = { address: formatIpv4(address), reason: result.reason };
      const message = `claim from ${data.address} refused: ${result.reason}`;
      if (session !== undefined) sessions.event(session, 'http', 'claim.refused', message, data, 'warning');
      else events.record({ source: 'http', kind: 'claim.refused', level: 'warning', message, data });
      throw new AnybiosError('unauthorized', result.reason, { remedy: 'boot the machine again' });
    }
    const { claim } = result;
    const session = sessions.resume(this.#sessionOf(claim));
    const machine = this.#machineOf(claim);
    const plan = planner.plan(claim.mac, machine, { address: session.address, session: session.id });
    if (plan.kind !== 'boot') {
      const reason = plan.reason;
      sessions.fail(session, 'http', {
        name: 'nothing-to-boot',
        message: `the machine claimed its boot, but ${reason}`,
        remedy: 'anybios machine explain NAME',
      });
      throw new AnybiosError('unauthorized', reason, { remedy: 'anybios machine explain NAME' });
    }
    const secure = lines.get('secureboot')?.[0];
    const facts: { -readonly [K in keyof Observed]?: Observed[K] } = {
      ...(secure === 'on' || secure === 'off' || secure === 'none' ? { secureBoot: secure } : {}),
      ...(UUID.test(lines.get('uuid')?.[0] ?? '') ? { uuid: one(lines, 'uuid').toLowerCase() } : {}),
      waiting: plan.mode === 'discover',
    };
    observations.update(session.key, claim.mac, { ...facts, systems: [], upSince: undefined, unmanaged: false });
    // Where another server gives the addresses, the OS may get another one than the firmware; the claim proves that it is ours.
    const moved = session.dhcpMode === 'proxy' ? { address } : {};
    const claimed = sessions.step(session, { stage: 'stage1', claimedAt: this.#deps.clock(), ...moved });
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
    const profile = this.#profileOf(claim.mac, machine);
    return [
      ['credential', result.credential],
      ['session', session.id],
      ['machine', plan.name],
      ['mode', plan.mode],
      ['heartbeat-seconds', HEARTBEAT_SECONDS],
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
    const session = this.#sessionOf(claim);
    const source = stage === 'stage1' || stage === 'rootfs' ? 'stage1' : 'live';
    const data = dataOf(lines, ['stage', 'step', 'message']);
    const message = lines.get('message')?.[0]?.slice(0, TEXT_LIMIT);
    if (step === 'failed') {
      sessions.fail(sessions.step(session, { stage }), source, failureOf(stage, message ?? 'no reason given'));
      return;
    }
    if (stage === 'rootfs' && step === 'fetching') return this.#progress(session, lines);
    if (stage === 'systems' && step === 'handed-over') return await this.#handedOver(claim, session, lines);
    if (stage === 'systems' && step === 'state') return this.#systemState(session, claim, lines);
    if (stage === 'live' && step === 'started')
      observations.update(session.key, claim.mac, {
        upSince: this.#deps.clock(),
        heartbeatAt: this.#deps.clock(),
        systems: [],
      });
    const next = sessions.step(session, { stage, progress: undefined });
    sessions.event(next, source, `${stage}.${step}`, message ?? `${stage}: ${step}`, data);
    if (stage === 'live' && step === 'started') this.#succeedWhenAllRun(next);
  }

  /** Alive: observed systems, memory. Answers what the machine shall do. */
  async heartbeat(claim: Claim, lines: Lines): Promise<AnswerLines> {
    const { observations, sessions, renewLease, clock } = this.#deps;
    const key = this.#keyOf(claim);
    const before = observations.get(key);
    const named = lines.get('system') ?? [];
    if (named.length > SYSTEMS_LIMIT) throw invalid(`${named.length} systems are too many`, { field: 'system' });
    const systems = named.map((line): ObservedSystem => {
      const [name = '', state, restarts] = line.split(' ');
      if (!WORD.test(name)) throw invalid('a name of a system does not fit', { field: 'system' });
      if (!isSystemState(state))
        throw invalid(`"${state ?? ''}" is not a system state`, {
          field: 'system',
          remedy: `one of ${REPORTED_SYSTEM_STATES.join(', ')}`,
        });
      const message = before?.systems.find((s) => s.name === name)?.message;
      return { name, state, restarts: count(restarts, 'system'), ...(message === undefined ? {} : { message }) };
    });
    const changed = JSON.stringify(systems) !== JSON.stringify(before?.systems ?? []);
    const memory = Object.fromEntries(
      ['memory-total-bytes', 'memory-available-bytes', 'uptime-ms']
        .map((k) => [k, lines.get(k)?.[0]])
        .filter(([, v]) => v !== undefined),
    );
    observations.update(
      key,
      claim.mac,
      {
        systems,
        heartbeatAt: clock(),
        upSince: before?.upSince ?? clock(),
        inventory: { ...before?.inventory, ...memory },
      },
      changed,
    );
    await renewLease(claim.mac);
    const open = sessions.openOf(key);
    if (open !== undefined && open.id === claim.session) this.#succeedWhenAllRun(open);
    return [['action', 'none']];
  }

  inventory(claim: Claim, lines: Lines): void {
    const { observations, sessions } = this.#deps;
    const inventory: Record<string, string> = {};
    for (const [key, values] of lines) inventory[key.slice(0, 64)] = values.join('\n').slice(0, 4096);
    const session = this.#sessionOf(claim);
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
    const machine = this.#machineOf(claim);
    const assignment = planner.assignment(claim.mac, machine);
    const session = sessions.openOf(this.#keyOf(claim));
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

  /** What the live OS needs to start one of its systems. Throws `not_found` for a system that is not this machine's. */
  system(claim: Claim, name: string): AnswerLines {
    const { system, image } = this.#bootable(claim, name);
    return [
      ['name', system.name],
      ['kind', system.kind],
      ['image', image.url],
      ['image-sha256', image.digest],
      ['image-size', image.size],
      ['restart', system.restart],
      ...(system.memoryBytes === undefined ? [] : [['memory-bytes', system.memoryBytes] as const]),
      ...(system.cpus === undefined ? [] : [['cpus', system.cpus] as const]),
      ...system.command.map((arg) => ['arg', arg] as const),
      ...Object.entries(system.env).map(([key, value]) => ['env', `${key}=${value}`] as const),
    ];
  }

  /** The files of a system, rendered for this machine. */
  systemFiles(claim: Claim, name: string): readonly RenderedFile[] {
    const { planner, renderText } = this.#deps;
    const { system, params } = this.#bootable(claim, name);
    const machine = this.#machineOf(claim);
    const session = this.#sessionOf(claim);
    const data = {
      machine: {
        name: machine?.name ?? claim.mac,
        mac: claim.mac,
        macs: [...(machine?.macs ?? [claim.mac])],
        address: session.address === undefined ? '' : formatIpv4(session.address),
        labels: { ...machine?.labels },
      },
      role: { name: machine?.role ?? '' },
      system: { name: system.name },
      params: { ...params },
      server: { url: planner.identity.url, address: formatIpv4(planner.identity.address) },
    };
    return Object.entries(system.files).map(([path, text]) => ({
      path,
      text: renderText(`systems[${name}].files[${path}]`, text, data),
    }));
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

  #systemState(session: BootSession, claim: Claim, lines: Lines): void {
    const { observations, sessions } = this.#deps;
    const name = word(lines, 'system');
    const state = one(lines, 'state');
    if (!isSystemState(state))
      throw invalid(`"${state}" is not a system state`, {
        field: 'state',
        remedy: `one of ${REPORTED_SYSTEM_STATES.join(', ')}`,
      });
    const message = lines.get('message')?.[0]?.slice(0, TEXT_LIMIT);
    const restarts = count(lines.get('restarts')?.[0], 'restarts');
    const before = observations.get(session.key)?.systems ?? [];
    const entry: ObservedSystem = { name, state, restarts, ...(message === undefined ? {} : { message }) };
    const systems = [...before.filter((s) => s.name !== name), entry];
    if (systems.length > SYSTEMS_LIMIT) throw invalid(`${systems.length} systems are too many`, { field: 'system' });
    observations.update(session.key, claim.mac, { systems });
    const next = sessions.step(session, { stage: 'systems', progress: undefined });
    sessions.event(
      next,
      'live',
      `system.${state}`,
      `system ${name} ${state}${message === undefined ? '' : `: ${message}`}`,
      { system: name, state, restarts, ...(message === undefined ? {} : { message }) },
      state === 'failed' ? 'error' : 'info',
    );
    if (state === 'failed' && next.closedAt === undefined) {
      sessions.fail(next, 'live', {
        name: 'system-failed',
        message: `system ${name} failed${message === undefined ? '' : `: ${message}`}`,
        remedy: 'see the events of the boot and the machine’s console; correct the system and reboot',
      });
      return;
    }
    this.#succeedWhenAllRun(next);
  }

  async #handedOver(claim: Claim, session: BootSession, lines: Lines): Promise<void> {
    const { observations, sessions, claims } = this.#deps;
    const plan = this.#planOf(claim, session);
    const name = lines.get('system')?.[0]?.slice(0, 63) ?? plan.systems[0]?.system.name ?? session.key;
    observations.update(session.key, claim.mac, {
      systems: [{ name, state: 'handed-over', restarts: 0 }],
      unmanaged: true,
      upSince: undefined,
    });
    const next = sessions.step(session, { stage: 'systems' });
    sessions.event(next, 'stage1', 'system.handed-over', `the machine was handed over to system ${name}`, {
      system: name,
    });
    sessions.succeed(next);
    await claims.revoke(claim.session);
  }

  #succeedWhenAllRun(session: BootSession): void {
    if (session.closedAt !== undefined) return;
    const wanted = this.#wantedSystems(session);
    const observed = this.#deps.observations.get(session.key);
    if (observed?.upSince === undefined) return;
    // A system that is not started again has done its work when it ended well.
    const { systems } = this.#deps.state;
    const done = ({ name, state }: ObservedSystem): boolean =>
      state === 'running' || (state === 'stopped' && systems.get(name)?.restart !== 'always');
    const settled = new Set(observed.systems.filter(done).map((s) => s.name));
    if (wanted.every((name) => settled.has(name)))
      this.#deps.sessions.succeed(this.#deps.sessions.step(session, { stage: 'systems' }));
  }

  #wantedSystems(session: BootSession): readonly string[] {
    const machine = session.machine === undefined ? undefined : this.#deps.state.machines.get(session.machine);
    const assignment = this.#deps.planner.assignment(session.mac, machine);
    return assignment.kind === 'role' ? assignment.role.systems : [];
  }

  #bootable(claim: Claim, name: string) {
    const plan = this.#planOf(claim, this.#sessionOf(claim));
    const found = plan.systems.find((s) => s.system.name === name);
    if (found === undefined) throw notFound(`system ${name} is not assigned to this machine`, { field: 'system' });
    return { ...found, params: plan.params };
  }

  #planOf(claim: Claim, session: BootSession): Extract<BootPlan, { kind: 'boot' }> {
    const plan = this.#deps.planner.plan(claim.mac, this.#machineOf(claim), {
      address: session.address,
      session: session.id,
    });
    if (plan.kind !== 'boot') throw notFound(plan.reason);
    return plan;
  }

  #profileOf(mac: Mac, machine: Machine | undefined) {
    const assignment = this.#deps.planner.assignment(mac, machine);
    return assignment.kind === 'none' ? undefined : assignment.profile;
  }

  #machineOf(claim: Claim): Machine | undefined {
    const { state } = this.#deps;
    // By name: a machine told by port, UUID or client id lists no MAC. By MAC: it was unknown when it booted, and approved since.
    return (
      (claim.machine === undefined ? undefined : state.machines.get(claim.machine)) ?? state.machineByMac(claim.mac)
    );
  }

  #keyOf(claim: Claim): string {
    return this.#machineOf(claim)?.name ?? claim.mac;
  }

  #sessionIfAny(claim: Claim): BootSession | undefined {
    return this.#deps.sessions.claimed(this.#keyOf(claim), claim.session);
  }

  #sessionOf(claim: Claim): BootSession {
    const session = this.#sessionIfAny(claim);
    if (session === undefined) {
      throw new AnybiosError('unauthorized', 'this boot was replaced by a newer one', {
        remedy: 'boot the machine again',
      });
    }
    return session;
  }
}

function one(lines: Lines, key: string): string {
  const value = lines.get(key)?.[0];
  if (value === undefined || value === '')
    throw invalid(`${key} is missing`, { field: key, remedy: 'see docs/booting.md, "The machine protocol"' });
  return value;
}

function word(lines: Lines, key: string): string {
  const value = one(lines, key);
  if (!WORD.test(value))
    throw invalid(`${key} is not a word`, { field: key, remedy: 'small letters, digits and -, at most 63' });
  return value;
}

/** A whole number; 0 when it is absent. Anything else would end up in lists that other programs read as numbers. */
function count(text: string | undefined, field: string): number {
  if (text === undefined || text === '') return 0;
  if (!/^\d{1,15}$/.test(text)) throw invalid(`"${text.slice(0, 40)}" is not a whole number`, { field });
  return Number(text);
}

function dataOf(lines: Lines, without: readonly string[]): Record<string, Json> {
  const data: Record<string, Json> = {};
  for (const [key, values] of lines) {
    if (without.includes(key)) continue;
    const value = values.join('\n').slice(0, TEXT_LIMIT);
    data[key] =
      /^(bytes|total|restarts|.*-ms|.*-bytes)$/.test(key) && Number.isFinite(Number(value)) ? Number(value) : value;
  }
  return data;
}

function fileLines(
  name: string,
  file: { readonly url: string; readonly digest: string; readonly size: number } | undefined,
): AnswerLines {
  if (file === undefined) return [];
  return [
    [name, file.url],
    [`${name}-sha256`, file.digest],
    [`${name}-size`, file.size],
  ];
}

function failureOf(stage: BootStage, message: string) {
  const wrongDigest = /sha256|digest/i.test(message);
  const name = wrongDigest ? 'digest-mismatch' : `${stage}-failed`;
  const remedy = wrongDigest
    ? 'the image on the server is damaged or was changed: anybios image list, then import it again'
    : 'see the machine’s console; the role parameter break gives a shell there';
  return { name, message, remedy };
}
