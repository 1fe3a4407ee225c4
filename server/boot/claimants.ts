import type { BootPlan } from '../decide/boot-plan.js';
import type { BootSession, Claim } from '../domain/boot-session.js';
import { AnybiosError, notFound } from '../domain/errors.js';
import type { Mac } from '../domain/mac.js';
import type { Machine } from '../domain/machine.js';
import type { Profile } from '../domain/profile.js';
import type { State } from '../state/state.js';
import type { Planner } from './planner.js';
import type { Sessions } from './sessions.js';

/** Whose credential this is: machine, boot session and plan of a claim. */
export class Claimants {
  readonly #state: State;
  readonly #sessions: Sessions;
  readonly #planner: Planner;

  constructor({
    state,
    sessions,
    planner,
  }: { readonly state: State; readonly sessions: Sessions; readonly planner: Planner }) {
    this.#state = state;
    this.#sessions = sessions;
    this.#planner = planner;
  }

  planOf(claim: Claim, session: BootSession): Extract<BootPlan, { kind: 'boot' }> {
    const plan = this.#planner.plan(claim.mac, this.machineOf(claim), {
      address: session.address,
      session: session.id,
      choice: session.choice,
    });
    if (plan.kind !== 'boot') throw notFound(plan.reason);
    return plan;
  }

  /** This machine was told to load what its plan names now; `gc` keeps it. */
  loads(claim: Claim, plan: Extract<BootPlan, { kind: 'boot' }>): void {
    this.#sessions.loads(this.keyOf(claim), plan.images);
  }

  profileOf(mac: Mac, machine: Machine | undefined): Profile | undefined {
    const assignment = this.#planner.assignment(mac, machine);
    return assignment.kind === 'none' ? undefined : assignment.profile;
  }

  machineOf(claim: Claim): Machine | undefined {
    const state = this.#state;
    // By name: a machine told by port, UUID or client id lists no MAC. By MAC: it was unknown when it booted, and approved since.
    return (
      (claim.machine === undefined ? undefined : state.machines.get(claim.machine)) ?? state.machineByMac(claim.mac)
    );
  }

  keyOf(claim: Claim): string {
    return this.machineOf(claim)?.name ?? claim.mac;
  }

  sessionIfAny(claim: Claim): BootSession | undefined {
    return this.#sessions.claimed(this.keyOf(claim), claim.session);
  }

  sessionOf(claim: Claim): BootSession {
    const session = this.sessionIfAny(claim);
    if (session === undefined) {
      throw new AnybiosError('unauthorized', 'this boot was replaced by a newer one', {
        remedy: 'boot the machine again',
      });
    }
    return session;
  }
}
