import { type DriftInput, driftOf, type WantedBoot } from '../decide/drift.js';
import type { BootedAs, BootSession } from '../domain/boot-session.js';
import type { Change, DesiredState } from '../domain/desired.js';
import type { Mac } from '../domain/mac.js';
import type { Drift, Machine, MachineStatus } from '../domain/machine.js';
import type { Mode } from '../domain/role.js';
import type { State } from '../state/state.js';
import type { Planner } from './planner.js';
import type { Sessions } from './sessions.js';
import type { RenderText } from './system-definitions.js';
import { WantedBoots, type Wanting, wantedBoot } from './wanted-boots.js';

export interface DriftsDeps {
  readonly state: State;
  readonly sessions: Sessions;
  readonly planner: Planner;
  readonly renderText: RenderText;
}

/** What its role says of a machine. */
export interface Desired {
  readonly role: string;
  readonly profile: string;
  readonly mode: Mode;
  readonly systems: readonly string[];
}

/** What a change of the desired state does to a machine that runs. */
export interface MachineEffects {
  readonly name: string;
  readonly effects: readonly Drift[];
}

/** So long one slice of a large comparison may hold the event loop, in ms: DHCP is answered by the same one. */
const SLICE_MS = 5;

/** Desired beside observed, machine by machine. */
export class Drifts {
  readonly #deps: DriftsDeps;
  readonly #wanted: WantedBoots;

  constructor(deps: DriftsDeps) {
    this.#deps = deps;
    this.#wanted = new WantedBoots(deps.planner, deps.renderText);
  }

  desired(machine: Machine | undefined): Desired | undefined {
    const role = machine?.role === undefined ? undefined : this.#deps.state.roles.get(machine.role);
    return role === undefined
      ? undefined
      : { role: role.name, profile: role.profile, mode: role.mode, systems: role.systems };
  }

  /** What differs now. */
  of(machine: Machine, status: MachineStatus): readonly Drift[] {
    const observed = this.#deps.state.observed.get(machine.name);
    const wanting = this.#wanting(machine);
    return driftOf({
      name: machine.name,
      status,
      desiredSystems: this.desired(machine)?.systems.length ?? 0,
      wanted: () => this.#wanted.of(wanting),
      booted: wanting.session?.booted,
      observed: observed?.systems ?? [],
      leftOut: observed?.leftOut ?? [],
    });
  }

  /** As what this boot of it is claimed. */
  bootedAs(machine: Machine, session: BootSession): BootedAs | undefined {
    const { planner, renderText } = this.#deps;
    const wanted = wantedBoot(planner, renderText, { machine, mac: session.mac, session }, 'now');
    return wanted.kind === 'boot' ? wanted.next : undefined;
  }

  /**
   * What these changes do to the machines that run (`runs`), by comparing the desired state before and after. In slices: a system of
   * ten thousand machines is a second of work.
   */
  async effects(
    before: DesiredState,
    after: DesiredState,
    changes: readonly Change[],
    runs: (name: string) => boolean,
  ): Promise<readonly MachineEffects[]> {
    const { planner } = this.#deps;
    const [was, is] = [planner.over(before), planner.over(after)];
    const machinesAfter = new Map(after.machines.map((machine) => [machine.name, machine]));
    const found: MachineEffects[] = [];
    const touched = touchedBy(changes, before, after);
    let end = performance.now() + SLICE_MS;
    for (const machine of before.machines) {
      if (!touched(machine) || !runs(machine.name)) continue;
      const effects = this.#effectsOn(machine, machinesAfter.get(machine.name), was, is);
      if (effects.length > 0) found.push({ name: machine.name, effects });
      if (performance.now() < end) continue;
      await new Promise((resolve) => setImmediate(resolve));
      end = performance.now() + SLICE_MS;
    }
    return found;
  }

  #effectsOn(before: Machine, after: Machine | undefined, was: Planner, is: Planner): readonly Drift[] {
    if (after === undefined)
      return [
        {
          what: 'plan',
          reason: 'it is removed: what it runs goes on',
          ends: 'reboot',
          remedy: 'switch it off, or reboot it',
        },
      ];
    const { renderText } = this.#deps;
    const wanting = this.#wanting(before);
    const wantedBefore = wantedBoot(was, renderText, wanting);
    const wantedAfter = wantedBoot(is, renderText, { ...wanting, machine: after });
    const input = (wanted: WantedBoot): DriftInput => ({
      name: before.name,
      status: wantedAfter.kind === 'boot' && wantedAfter.next.mode === 'single' ? 'unmanaged' : 'up',
      desiredSystems: 0,
      wanted: () => wanted,
      booted: wanting.session?.booted,
      // As if it were just what was wanted of it.
      observed:
        wantedBefore.kind === 'none'
          ? []
          : wantedBefore.systems.map(({ name, digest }) => ({ name, digest, state: 'running', restarts: 0 })),
      leftOut: this.#deps.state.observed.get(before.name)?.leftOut ?? [],
    });
    const old = new Set(driftOf(input(wantedBefore)).map(wordsOf));
    return driftOf(input(wantedAfter)).filter((drift) => drift.what !== 'left-out' && !old.has(wordsOf(drift)));
  }

  #wanting(machine: Machine): Wanting {
    const session: BootSession | undefined = this.#deps.sessions.running(machine.name);
    const mac: Mac | undefined = session?.mac ?? this.#deps.state.observed.get(machine.name)?.mac;
    return { machine, mac, session };
  }

  /** The machine was removed. */
  forget(name: string): void {
    this.#wanted.forget(name);
  }
}

const wordsOf = ({ what, system, reason }: Drift): string => JSON.stringify([what, system, reason]);

/** Whether a machine, as it was, is one that the changes can matter to. */
function touchedBy(
  changes: readonly Change[],
  before: DesiredState,
  after: DesiredState,
): (machine: Machine) => boolean {
  const names = (kind: Change['kind']): Set<string> =>
    new Set(changes.filter((change) => change.kind === kind).map(({ name }) => name));
  const [machines, roles, systems] = [names('machine'), names('role'), names('system')];
  for (const role of [...before.roles, ...after.roles])
    if (role.systems.some((system) => systems.has(system))) roles.add(role.name);
  return ({ name, role }) => machines.has(name) || (role !== undefined && roles.has(role));
}
