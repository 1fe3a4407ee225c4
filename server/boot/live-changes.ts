import { ChangeTurns } from '../decide/change-turns.js';
import type { BootSession } from '../domain/boot-session.js';
import type { Drift, Machine } from '../domain/machine.js';
import type { State } from '../state/state.js';
import type { Drifts } from './drifts.js';
import type { Sessions } from './sessions.js';

export interface LiveChangesDeps {
  readonly state: State;
  readonly sessions: Sessions;
  readonly drifts: Drifts;
  readonly clock: () => number;
  /** How many machines change at once. */
  readonly atOnce: number;
}

/** Changes of machines that run (ADR 14): each heartbeat is compared with what the machine shall be, and its answer says so. */
export class LiveChanges {
  readonly #deps: LiveChangesDeps;
  readonly #turns: ChangeTurns;
  #atOnce: number;

  constructor(deps: LiveChangesDeps) {
    this.#deps = deps;
    this.#atOnce = deps.atOnce;
    this.#turns = new ChangeTurns({ clock: deps.clock, atOnce: () => this.#atOnce });
  }

  configure(atOnce: number): void {
    this.#atOnce = atOnce;
  }

  /** Whether the machine has been told to change and is not done. */
  changing(name: string): boolean {
    return this.#turns.has(name);
  }

  /** `action=` of the answer to a heartbeat. */
  action(machine: Machine | undefined, session: BootSession | undefined): 'none' | 'refresh' {
    if (machine === undefined || session === undefined) return 'none';
    const systems = this.#deps.state.observed.get(machine.name)?.systems ?? [];
    const settled = systems.every(({ state }) => state !== 'starting');
    // While it boots it is on its way to what it shall be; a change in the middle of that comes when its first systems are up.
    const boots = session.closedAt === undefined && session.outcome === 'running';
    if (boots && (systems.length === 0 || !settled)) return 'none';
    const drift = this.#deps.drifts.of(machine, 'up').filter(({ ends }) => ends === 'live');
    const answer = this.#turns.ask(machine.name, drift.length > 0, settled);
    const { sessions } = this.#deps;
    const what = textOf(drift);
    switch (answer) {
      case 'begin':
        sessions.event(session, 'live', 'systems.change', `told to change while it runs: ${what}`, { change: what });
        return 'refresh';
      case 'again':
        return 'refresh';
      case 'done':
        sessions.event(session, 'live', 'systems.changed', 'its systems are as they shall be', {});
        return 'none';
      case 'late':
        sessions.event(
          session,
          'live',
          'systems.not-changed',
          `was told to change and has not in two minutes: ${what}; it is told again later`,
          { change: what },
          'warning',
        );
        return 'none';
      case 'wait':
      case 'none':
        return 'none';
    }
  }
}

/** `db added, web changed`. */
function textOf(drift: readonly Drift[]): string {
  return drift.map(({ what, system }) => `${system ?? 'machine'} (${what})`).join(', ');
}
