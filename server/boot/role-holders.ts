import { decideHolder } from '../decide/holder.js';
import { HEARTBEAT_SECONDS } from '../decide/machine-status.js';
import { leaseIsOver } from '../decide/role-lease.js';
import type { Change, DesiredState } from '../domain/desired.js';
import { conflict, notFound } from '../domain/errors.js';
import type { Machine } from '../domain/machine.js';
import type { Store } from '../domain/ports.js';
import type { Holding, RoleLease } from '../domain/standby.js';
import type { State } from '../state/state.js';
import type { BootLog, EventLog } from './event-log.js';
import type { Planner } from './planner.js';
import type { RoleTenures } from './role-tenures.js';
import { candidatesFor, heartbeatSecondsOf, type Regime, regimeOf } from './standby-rules.js';

export interface RoleHoldersDeps {
  readonly state: State;
  readonly store: Pick<Store, 'saveStandby'>;
  readonly events: EventLog;
  readonly planner: Planner;
  readonly log: BootLog;
  /** Epoch ms, for people only. */
  readonly clock: () => number;
  /** Ms that never jump (CLOCK_MONOTONIC): all leases and silences are counted by it. */
  readonly monotonic: () => number;
  readonly tenures: RoleTenures;
}

/** A server that did not look for so long did not listen either: silence before that says nothing of the machines. */
const GAP_MS = 5000;

/** Who holds which role (ADR 13): notices who has lost it, and gives it to a spare. It changes in memory only after the store has it. */
export class RoleHolders {
  readonly #deps: RoleHoldersDeps;
  readonly #tenures: RoleTenures;
  /** Places that change hands at this moment: nobody is granted their lease. */
  readonly #moving = new Set<string>();
  /** What was last said of places that no spare can take, and of machines that came back. */
  readonly #told = new Map<string, string>();
  #lookedAt: number;
  #looking = false;

  constructor(deps: RoleHoldersDeps) {
    this.#deps = deps;
    this.#tenures = deps.tenures;
    this.#lookedAt = deps.monotonic();
  }

  isChanging(place: string): boolean {
    return this.#moving.has(place);
  }

  /** Looks at all roles with spares; every second, tests call it themselves. */
  async check(): Promise<void> {
    const now = this.#deps.monotonic();
    if (now - this.#lookedAt > GAP_MS) this.#tenures.countedFrom = now;
    this.#lookedAt = now;
    if (this.#looking) return;
    this.#looking = true;
    try {
      for (const place of this.#placesInDanger()) await this.#look(place);
    } catch (error) {
      this.#deps.log.error({ error }, 'a role could not be given to a spare; it is tried again');
    } finally {
      this.#looking = false;
    }
  }

  /**
   * Gives what `name` holds to another machine: first its lease ends (at its next heartbeat, or by itself), then `to` gets it. Without
   * `to`: back to the machine whose role it is, or to the first fit spare. Throws `conflict` with the reason.
   */
  async handOver(name: string, to: string | undefined, by: string): Promise<Holding> {
    const { state, store, clock } = this.#deps;
    const machine = this.known(name);
    const place = machine.standsFor?.name ?? name;
    const before = state.holdings.get(place);
    const regime = this.regime(machine);
    if (before?.handing !== undefined)
      throw conflict(`the role of ${place} is on its way to ${before.handing.to} already`, {
        remedy: `wait for it: anybios machine show ${place}`,
      });
    if (machine.role === undefined)
      throw conflict(`${name} holds no role`, { remedy: `see: anybios machine show ${name}` });
    if (regime.kind !== 'held')
      throw conflict(`role ${machine.role} has no spares: nothing on ${name} would stop its systems`, {
        remedy: 'give the role spares, or assign it by hand',
      });
    const candidates = this.candidates(place, name);
    const chosen = to ?? (place === name ? candidates.find(({ unfit }) => unfit === undefined)?.name : place);
    if (chosen === undefined) {
      const reasons = candidates.map((one) => `${one.name} ${one.unfit ?? ''}`).join('; ');
      throw conflict(`no spare can take the role of ${place} now${reasons === '' ? '' : `: ${reasons}`}`);
    }
    const found = candidates.find((one) => one.name === chosen);
    if (found === undefined)
      throw conflict(`${chosen} is no spare of role ${machine.role}`, {
        field: 'to',
        remedy: `one of: ${candidates.map((one) => one.name).join(', ') || 'none'}`,
      });
    if (found.unfit !== undefined) throw conflict(`${chosen} ${found.unfit}`, { field: 'to' });
    const handing = { to: chosen, by, at: clock() };
    const holding: Holding = {
      place,
      holder: name,
      since: before?.since ?? clock(),
      why: before?.why ?? 'its own',
      handing,
    };
    // From here on nobody is granted this lease, whether the write succeeds or not.
    this.#moving.add(place);
    try {
      await store.saveStandby({ holdings: [holding] });
      state.setHolding(place, holding);
    } finally {
      this.#moving.delete(place);
    }
    this.record('role.handing', place, `${name} gives role ${machine.role} of ${place} to ${chosen}, asked by ${by}`, {
      role: machine.role,
      from: name,
      to: chosen,
      by,
    });
    return holding;
  }

  /** Throws `conflict` for a change that would leave a role with two machines, or take away one that stands in. */
  refuse(changes: readonly Change[], after: DesiredState): void {
    if (this.#deps.state.holdings.size === 0) return;
    const machines = new Map(after.machines.map((machine) => [machine.name, machine]));
    for (const { place, holder } of this.#deps.state.holdings.values()) {
      if (
        holder === place ||
        !changes.some(({ kind, name }) => kind === 'machine' && (name === holder || name === place))
      )
        continue;
      const stays = machines.get(place)?.role !== undefined;
      const itself = machines.get(holder);
      if (!stays || (itself !== undefined && itself.role === undefined)) continue;
      throw conflict(`${holder} holds the role of ${place}`, {
        remedy: `hand it back first (anybios machine hand-over ${holder}), or take the role of ${place} away in the same step`,
      });
    }
  }

  /** After the desired state has changed: a place that is gone, or whose holder has a role of its own now, is nobody's. */
  async desiredChanged(): Promise<void> {
    const { state, store, clock } = this.#deps;
    for (const holding of [...state.holdings.values()]) {
      const { place, holder } = holding;
      if (state.written.get(place)?.role !== undefined) continue;
      if (holder === place || state.written.get(holder)?.role !== undefined || !state.written.has(holder)) {
        await store.saveStandby({ forgetHoldings: [place] });
        state.setHolding(place, undefined);
      } else if (holding.handing === undefined) {
        const next = { ...holding, handing: { to: place, by: 'a change of the site', at: clock() } };
        await store.saveStandby({ holdings: [next] });
        state.setHolding(place, next);
      }
    }
  }

  /** Places whose holder's lease may be over, the one that has been silent longest first. */
  #placesInDanger(): readonly string[] {
    const { state, monotonic } = this.#deps;
    const now = monotonic();
    const found: { place: string; until: number }[] = [];
    for (const { name, role } of state.written.values()) {
      const holding = state.holdings.get(name);
      // It goes to another machine with its data: a job cares for that.
      if (state.moving.has(name)) continue;
      if (holding === undefined && (role === undefined || state.roles.get(role)?.spares === undefined)) continue;
      const tenure = this.#tenures.known(holding?.holder ?? name);
      if (tenure !== undefined && leaseIsOver(tenure, now)) found.push({ place: name, until: tenure.heardAt });
    }
    // A place whose machine was removed is still to be taken from its holder.
    for (const place of state.holdings.keys()) if (!state.written.has(place)) found.push({ place, until: 0 });
    return found.sort((a, b) => a.until - b.until || (a.place < b.place ? -1 : 1)).map(({ place }) => place);
  }

  async #look(place: string): Promise<void> {
    const { state, monotonic } = this.#deps;
    const holding = state.holdings.get(place);
    const holder = holding?.holder ?? place;
    const now = monotonic();
    const role = state.roles.get(state.written.get(place)?.role ?? '');
    const decision = decideHolder({
      holder,
      handing: holding?.handing,
      tenure: this.#tenures.of(holder),
      heartbeatSeconds: heartbeatSecondsOf(role?.spares?.leaseSeconds),
      candidates: this.candidates(place, holder),
      countedFrom: this.#tenures.countedFrom,
      now,
    });
    if (decision.kind !== 'no-spare') this.#told.delete(place);
    if (decision.kind === 'move') await this.#move(place, holder, decision.to, decision.why);
    if (decision.kind !== 'no-spare') return;
    const reasons = decision.unfit.length === 0 ? 'there is none' : decision.unfit.join('; ');
    const text = `${decision.why}, and no spare can take role ${role?.name ?? ''}: ${reasons}`;
    if (this.#told.get(place) === text) return;
    this.#told.set(place, text);
    this.record('role.no-spare', place, text, { role: role?.name ?? '', spares: [...decision.unfit] }, 'error');
  }

  async #move(place: string, from: string, to: string, why: string): Promise<void> {
    const { state, store, clock, monotonic } = this.#deps;
    if (this.#moving.has(place)) return;
    // Before anything is awaited: a heartbeat of the old holder that comes in now gets no lease.
    this.#moving.add(place);
    try {
      const role = state.written.get(place)?.role;
      if (role === undefined || !state.written.has(to)) {
        await store.saveStandby({ forgetHoldings: [place] });
        state.setHolding(place, undefined);
        return;
      }
      const holding: Holding = { place, holder: to, since: clock(), why };
      // It said that it runs nothing, and nobody has granted it anything since: its lease is over before it begins.
      const lease: RoleLease = { machine: to, bounded: true, seconds: 0, off: false };
      await store.saveStandby({ holdings: [holding], leases: [lease] });
      this.#tenures.wasSaved(lease);
      const now = monotonic();
      this.#tenures.set({ ...this.#tenures.of(to), ...lease, until: now, heardAt: now });
      state.setHolding(place, holding);
      const asked = state.written.has(from) && why.startsWith('handed over');
      this.record(
        asked ? 'role.handed-over' : 'role.taken-over',
        to,
        `${to} has role ${role} of ${place} now: ${why}`,
        { role, place, from, to },
        asked ? 'info' : 'warning',
      );
    } finally {
      this.#moving.delete(place);
    }
  }

  /** The spares of a place in their order, with what is against each now. */
  candidates(place: string, holder: string) {
    const isReady = (name: string): string | undefined => this.#tenures.unready(name, HEARTBEAT_SECONDS);
    return candidatesFor({ state: this.#deps.state, place, holder, isReady });
  }

  /** How it runs systems now. */
  regime(machine: Machine): Regime {
    const { state, planner } = this.#deps;
    const regime = regimeOf(machine, state, (address) => planner.subnetOf(address));
    return regime.kind === 'held' && this.#moving.has(regime.place)
      ? { kind: 'waits', seconds: regime.seconds }
      : regime;
  }

  /** Throws `not_found`. */
  known(name: string): Machine {
    const machine = this.#deps.state.machines.get(name);
    if (machine === undefined) throw notFound(`there is no machine "${name}"`, { remedy: 'see: anybios machine list' });
    return machine;
  }

  /** Once in a boot. */
  tellReturned({ name }: Machine, session: string): void {
    const holding = this.#deps.state.holdings.get(name);
    if (holding === undefined || holding.holder === name || holding.handing !== undefined) return;
    if (this.#told.get(`back ${name}`) === session) return;
    this.#told.set(`back ${name}`, session);
    const message = `${name} is back; ${holding.holder} keeps its role, ${name} waits as a spare. To give it back: anybios machine hand-over ${holding.holder}`;
    this.record('machine.returned', name, message, { holder: holding.holder }, 'warning');
  }

  record(
    kind: string,
    machine: string,
    message: string,
    data: Parameters<EventLog['record']>[0]['data'],
    level: 'info' | 'warning' | 'error' = 'info',
  ): void {
    this.#deps.events.record({ source: 'server', kind, level, machine, message, data });
  }
}
