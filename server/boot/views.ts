import type { Assignment } from '../decide/assignment.js';
import { machineStatus } from '../decide/machine-status.js';
import type { BootSession } from '../domain/boot-session.js';
import type { Change, DesiredState } from '../domain/desired.js';
import { conflict, invalid, notFound } from '../domain/errors.js';
import type { Ipv4 } from '../domain/ipv4.js';
import { type Mac, parseMac } from '../domain/mac.js';
import type { Drift, Machine, MachineStatus, Observed, ObservedSystem } from '../domain/machine.js';
import type { State } from '../state/state.js';
import type { Desired, Drifts, MachineEffects } from './drifts.js';
import type { EventLog } from './event-log.js';
import { driftLines, type ExplainDeps, type Explanation, explainMachine } from './explain.js';
import type { LiveChanges } from './live-changes.js';
import { type RenderProfile, type ScriptLoader, scriptData } from './scripts.js';
import type { PlaceView, Standby } from './standby.js';

export interface ViewsDeps extends ExplainDeps {
  readonly state: State;
  readonly events: EventLog;
  readonly drifts: Drifts;
  readonly changes: LiveChanges;
  readonly standby: Standby;
  readonly renderProfile: RenderProfile;
  readonly clock: () => number;
  readonly serverStartedAt: number;
}

/** Everything the server knows of one machine at this moment, desired and observed. */
export interface MachineView {
  /** Machine name, or MAC of a machine that is only discovered. */
  readonly key: string;
  /** Absent: only discovered. */
  readonly machine?: Machine;
  /** Absent: never seen. */
  readonly observed?: Observed;
  readonly status: MachineStatus;
  /** Who has its role, where spares have a part in it. */
  readonly place?: PlaceView;
  /** The address it has now (lease or boot session). */
  readonly address?: Ipv4;
  /** The newest boot session. */
  readonly session?: BootSession;
  /** Absent: no role. */
  readonly desired?: Desired;
  readonly drift: readonly Drift[];
  /** It has been told to change while it runs, and is not done. */
  readonly changing: boolean;
  /** Assigned systems and what the machine reported of them; `unknown` when the machine is lost. */
  readonly systems: readonly ObservedSystem[];
}

/** The core as the API sees it: reading machines, explaining, and following changes of the desired state. */
export class Views {
  readonly #deps: ViewsDeps;

  constructor(deps: ViewsDeps) {
    this.#deps = deps;
  }

  *machineKeys(): Iterable<string> {
    const { state } = this.#deps;
    yield* state.machines.keys();
    for (const key of state.observed.keys()) if (!state.machines.has(key)) yield key;
  }

  machineView(key: string): MachineView | undefined {
    const { state, sessions, leaseAddress } = this.#deps;
    const machine = state.machines.get(key);
    const observed = state.observed.get(key);
    if (machine === undefined && observed === undefined) return undefined;
    const session = sessions.of(key);
    const status = this.statusOf(key);
    const mac = observed?.mac ?? machine?.macs[0];
    const place = this.#deps.standby.view(key);
    const address = (mac === undefined ? undefined : leaseAddress(mac)) ?? session?.address;
    const { drifts, changes } = this.#deps;
    const desired = drifts.desired(machine);
    return {
      key,
      ...(desired === undefined ? {} : { desired }),
      // Only for who looks at it: lists are narrowed by what comes cheaper.
      get drift() {
        return machine === undefined ? [] : drifts.of(machine, status);
      },
      changing: changes.changing(key),
      ...(machine === undefined ? {} : { machine }),
      ...(observed === undefined ? {} : { observed }),
      status,
      ...(place === undefined ? {} : { place }),
      ...(address === undefined ? {} : { address }),
      ...(session === undefined ? {} : { session }),
      systems: this.#systemsOf(machine, observed, status),
    };
  }

  /** `off` for a machine that was never seen. */
  statusOf(key: string): MachineStatus {
    const { state, sessions, clock, serverStartedAt } = this.#deps;
    const observed = state.observed.get(key);
    const session = sessions.of(key);
    return machineStatus({ known: state.machines.has(key), observed, session, now: clock(), serverStartedAt });
  }

  /** What this machine would be given now, firmware by firmware, and why each value. Throws `not_found`. */
  explain(key: string): Explanation {
    const found = this.#find(key);
    const { machine } = found;
    const drift = machine === undefined ? [] : this.#deps.drifts.of(machine, this.statusOf(key));
    return { machine: key, lines: [...explainMachine(this.#deps, key, found), ...driftLines(drift)] };
  }

  /** What changes of the desired state do to the machines that run now. */
  effects(before: DesiredState, after: DesiredState, changes: readonly Change[]): Promise<readonly MachineEffects[]> {
    return this.#deps.drifts.effects(before, after, changes, (name) => {
      const status = this.statusOf(name);
      return status === 'up' || status === 'unmanaged';
    });
  }

  /** The script for people: no nonce, no session. Throws `not_found`, or `invalid` with the reason it cannot be rendered. */
  renderFor(profileName: string, key: string, loader: ScriptLoader): string {
    const { state, planner, sessions, leaseAddress, renderProfile } = this.#deps;
    const { machine, mac } = this.#find(key);
    const profile = state.profiles.get(profileName);
    if (profile === undefined)
      throw notFound(`there is no profile ${profileName}`, { field: 'profile', remedy: 'anybios profile list' });
    const assigned = planner.assignment(mac, machine);
    const reason = `rendered for ${key} on request`;
    const role =
      assigned.kind === 'role'
        ? assigned.role
        : { name: key, profile: profileName, mode: 'resident' as const, systems: [], params: {} };
    const assignment: Assignment =
      profile.kind === 'discover' ? { kind: 'discover', profile, reason } : { kind: 'role', role, profile, reason };
    const address = machine?.address ?? leaseAddress(mac) ?? sessions.of(key)?.address;
    const plan = planner.plan(mac, machine, { address }, assignment);
    if (plan.kind === 'none') throw invalid(plan.reason, { field: 'profile', remedy: plan.remedy });
    return renderProfile(profileName, loader, scriptData(plan, assignment, mac, machine, planner.identity, undefined));
  }

  /** After store and state have the changes: what was seen follows the machine; one event per change. */
  async desiredChanged(changes: readonly Change[], by: string): Promise<void> {
    const { events, observations, sessions, clock } = this.#deps;
    await this.#deps.standby.desiredChanged();
    for (const change of changes) {
      if (change.kind === 'machine' && change.value !== undefined) {
        for (const mac of change.value.macs) {
          const seen = observations.get(mac);
          if (seen === undefined) continue;
          await observations.rename(mac, change.name, {
            waiting: false,
            ...(seen.waiting ? { approvedAt: clock() } : {}),
          });
          sessions.rename(mac, change.name, change.name);
        }
      }
      if (change.kind === 'machine' && change.action === 'remove') {
        const seen = observations.get(change.name);
        if (seen !== undefined) {
          await observations.rename(change.name, seen.mac);
          sessions.rename(change.name, seen.mac, undefined);
        }
        this.#deps.drifts.forget(change.name);
      }
      const past = { add: 'added', change: 'changed', remove: 'removed' }[change.action];
      events.record({
        source: 'api',
        kind: `${change.kind}.${past}`,
        level: 'info',
        ...(change.kind === 'machine' ? { machine: change.name } : {}),
        message: `${change.kind} ${change.name} was ${past} by ${by}${change.fields.length > 0 ? `: ${change.fields.join(', ')}` : ''}`,
        data: { by, fields: [...change.fields] },
      });
    }
  }

  /** Throws `conflict` with the reason (Standby.refuse). */
  refuseChanges(changes: readonly Change[], after: DesiredState): void {
    this.#deps.standby.refuse(changes, after);
  }

  /** Throws `conflict`, `not_found`. */
  async handOver(name: string, to: string | undefined, by: string): Promise<void> {
    await this.#deps.standby.handOver(name, to, by);
  }

  /** Throws `conflict` while it is heard. */
  async confirmOff(name: string, by: string): Promise<void> {
    await this.#deps.standby.confirmOff(name, by);
    const seen = this.#deps.observations.get(name);
    if (seen !== undefined)
      this.#deps.observations.update(name, seen.mac, { upSince: undefined, control: undefined, systems: [] });
  }

  /** Drops what was observed of a machine that is only discovered. Throws `not_found`. */
  async forget(mac: Mac, by: string): Promise<void> {
    const { state, observations, events } = this.#deps;
    if (observations.get(mac) === undefined || state.machineByMac(mac) !== undefined)
      throw notFound(`no discovered machine has MAC ${mac}`);
    await observations.remove(mac);
    state.sessions.delete(mac);
    events.record({
      source: 'api',
      kind: 'machine.forgotten',
      level: 'info',
      mac,
      message: `${mac} was forgotten by ${by}`,
      data: { by },
    });
  }

  #find(key: string): { readonly machine: Machine | undefined; readonly mac: Mac } {
    const { state, observations } = this.#deps;
    const machine = state.machines.get(key);
    const mac =
      machine?.macs[0] ??
      observations.get(key)?.mac ??
      (/^[0-9a-fA-F:-]{12,17}$/.test(key) ? parseMac(key) : undefined);
    if (mac === undefined && machine !== undefined)
      throw conflict(`machine ${key} has no MAC and was never seen`, { remedy: 'switch it on, or add its MAC' });
    if (mac === undefined)
      throw notFound(`there is no machine ${key}`, { field: 'machine', remedy: 'anybios machine list' });
    return { machine: machine ?? state.machineByMac(mac), mac };
  }

  #systemsOf(
    machine: Machine | undefined,
    observed: Observed | undefined,
    status: MachineStatus,
  ): readonly ObservedSystem[] {
    const { state } = this.#deps;
    const wanted = machine?.role === undefined ? [] : (state.roles.get(machine.role)?.systems ?? []);
    const seen = observed?.systems ?? [];
    const names = [...wanted, ...seen.map((s) => s.name).filter((name) => !wanted.includes(name))];
    return names.map((name) => {
      const system = seen.find((s) => s.name === name) ?? { name, state: 'stopped' as const, restarts: 0 };
      return status === 'lost' ? { ...system, state: 'unknown' as const } : system;
    });
  }
}
