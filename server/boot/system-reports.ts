import type { BootSession, Claim } from '../domain/boot-session.js';
import { invalid } from '../domain/errors.js';
import type { Mac } from '../domain/mac.js';
import type { ObservedSystem } from '../domain/machine.js';
import { REPORTED_SYSTEM_STATES, type SystemState } from '../domain/system.js';
import type { State } from '../state/state.js';
import type { Claimants } from './claimants.js';
import type { Claims } from './claims.js';
import type { LiveChanges } from './live-changes.js';
import { type AnswerLines, count, type Lines, one, TEXT_LIMIT, WORD, word } from './machine-lines.js';
import type { Observations } from './observations.js';
import type { Planner } from './planner.js';
import type { Sessions } from './sessions.js';
import type { Standby } from './standby.js';

export interface SystemReportsDeps {
  readonly state: State;
  readonly sessions: Sessions;
  readonly observations: Observations;
  readonly claims: Claims;
  readonly claimants: Claimants;
  readonly planner: Planner;
  readonly changes: LiveChanges;
  readonly standby: Standby;
  readonly clock: () => number;
  /** Extends the lease of a machine that keeps its address statically. */
  readonly renewLease: (mac: Mac) => Promise<void>;
}

/** `DEFINITION.IMAGES.LIMITS`. */
const DIGEST = /^[0-9a-f]{16}\.[0-9a-f]{16}\.[0-9a-f]{16}$/;
/** As many as a role may name. */
const SYSTEMS_LIMIT = 64;
const isSystemState = (word: string | undefined): word is SystemState =>
  REPORTED_SYSTEM_STATES.some((state) => state === word);

/** What the live OS says of its systems, step by step and in heartbeats. */
export class SystemReports {
  readonly #deps: SystemReportsDeps;
  /** Per machine: when each of its systems was last reported, by the clock of that boot. */
  readonly #reported = new Map<string, { readonly session: string; readonly at: Map<string, number> }>();

  constructor(deps: SystemReportsDeps) {
    this.#deps = deps;
  }

  /** Alive: observed systems, memory. Answers what the machine shall do. */
  async heartbeat(claim: Claim, lines: Lines): Promise<AnswerLines> {
    const { observations, sessions, renewLease, clock } = this.#deps;
    const key = this.#deps.claimants.keyOf(claim);
    const before = observations.get(key);
    const named = lines.get('system') ?? [];
    if (named.length > SYSTEMS_LIMIT) throw invalid(`${named.length} systems are too many`, { field: 'system' });
    const composedAt = uptimeOf(lines);
    const reported = this.#reportedOf(key, claim.session);
    const systems = named.map((line): ObservedSystem => {
      const [name = '', state, restarts, digest] = line.split(' ');
      if (!WORD.test(name)) throw invalid('a name of a system does not fit', { field: 'system' });
      if (!isSystemState(state))
        throw invalid(`"${state ?? ''}" is not a system state`, {
          field: 'system',
          remedy: `one of ${REPORTED_SYSTEM_STATES.join(', ')}`,
        });
      const known = before?.systems.find((s) => s.name === name);
      // A heartbeat that was under way while the system was reported knows less.
      const overtaken = known !== undefined && (reported.get(name) ?? -1) >= composedAt;
      const message = known?.message;
      return {
        name,
        state: overtaken ? known.state : state,
        restarts: overtaken ? known.restarts : count(restarts, 'system'),
        ...(message === undefined ? {} : { message }),
        ...(digest !== undefined && DIGEST.test(digest) ? { digest } : {}),
      };
    });
    const leftOut = (lines.get('left-out') ?? []).filter((name) => WORD.test(name)).slice(0, SYSTEMS_LIMIT);
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
        leftOut: leftOut.length === 0 ? undefined : leftOut,
        heartbeatAt: clock(),
        upSince: before?.upSince ?? clock(),
        inventory: { ...before?.inventory, ...memory },
      },
      changed,
    );
    await renewLease(claim.mac);
    const open = sessions.openOf(key);
    if (open !== undefined && open.id === claim.session) this.succeedWhenAllRun(open);
    const { changes, claimants, standby } = this.#deps;
    // Last: nothing is waited for between the grant of a lease and the answer.
    const lease = await standby.heartbeat(claimants.machineOf(claim), claim, lines);
    return [['action', changes.action(claimants.machineOf(claim), claimants.sessionIfAny(claim))], ...lease];
  }

  systemState(session: BootSession, claim: Claim, lines: Lines): void {
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
    const digest = before.find((s) => s.name === name)?.digest;
    const entry: ObservedSystem = {
      name,
      state,
      restarts,
      ...(message === undefined ? {} : { message }),
      ...(digest === undefined ? {} : { digest }),
    };
    const systems = [...before.filter((s) => s.name !== name), entry];
    if (systems.length > SYSTEMS_LIMIT) throw invalid(`${systems.length} systems are too many`, { field: 'system' });
    observations.update(session.key, claim.mac, { systems });
    const at = uptimeOf(lines);
    const reported = this.#reportedOf(session.key, claim.session);
    // Names that a machine makes up do not fill the memory: the next heartbeat may then undo a report for its ten seconds.
    if (reported.size >= SYSTEMS_LIMIT) reported.clear();
    if (Number.isFinite(at)) reported.set(name, at);
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
    this.succeedWhenAllRun(next);
  }

  async handedOver(claim: Claim, session: BootSession, lines: Lines): Promise<void> {
    const { observations, sessions, claims } = this.#deps;
    const plan = this.#deps.claimants.planOf(claim, session);
    const name = lines.get('system')?.[0]?.slice(0, 63) ?? plan.systems[0]?.system.name ?? session.key;
    observations.update(session.key, claim.mac, {
      systems: [{ name, state: 'handed-over', restarts: 0 }],
      unmanaged: true,
      upSince: undefined,
      control: undefined,
    });
    const next = sessions.step(session, { stage: 'systems' });
    sessions.event(next, 'stage1', 'system.handed-over', `the machine was handed over to system ${name}`, {
      system: name,
    });
    sessions.succeed(next);
    await claims.revoke(claim.session);
  }

  succeedWhenAllRun(session: BootSession): void {
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

  #reportedOf(key: string, session: string): Map<string, number> {
    const known = this.#reported.get(key);
    if (known?.session === session) return known.at;
    const at = new Map<string, number>();
    this.#reported.set(key, { session, at });
    return at;
  }

  #wantedSystems(session: BootSession): readonly string[] {
    const machine = session.machine === undefined ? undefined : this.#deps.state.machines.get(session.machine);
    const assignment = this.#deps.planner.assignment(session.mac, machine);
    return assignment.kind === 'role' ? assignment.role.systems : [];
  }
}

/** When the machine composed what it says. One that does not tell is believed. */
function uptimeOf(lines: Lines): number {
  const value = lines.get('uptime-ms')?.[0];
  return value === undefined ? Number.POSITIVE_INFINITY : count(value, 'uptime-ms');
}
