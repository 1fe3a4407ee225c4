import { decideHolder } from '../decide/holder.js';
import { HEARTBEAT_SECONDS } from '../decide/machine-status.js';
import {
  beforeGrant,
  granted,
  heard,
  isSilent,
  leaseHeartbeatSeconds,
  leaseIsOver,
  marginSeconds,
  recordOf,
  saidStopped,
  sameRecord,
  silenceMs,
  type Tenure,
  tenureAtStart,
  unknownTenure,
} from '../decide/role-lease.js';
import type { Claim } from '../domain/boot-session.js';
import type { Change, DesiredState } from '../domain/desired.js';
import { conflict, invalid, notFound } from '../domain/errors.js';
import { formatIpv4 } from '../domain/ipv4.js';
import type { Machine } from '../domain/machine.js';
import type { Store } from '../domain/ports.js';
import { type Holding, isLeaseWord, type LeaseWord, type RoleLease } from '../domain/standby.js';
import type { State } from '../state/state.js';
import type { BootLog, EventLog } from './event-log.js';
import { type AnswerLines, count, type Lines } from './machine-lines.js';
import type { Planner } from './planner.js';
import { candidatesFor, type Regime, regimeOf } from './standby-rules.js';

export interface StandbyDeps {
  readonly state: State;
  readonly store: Pick<Store, 'saveStandby'>;
  readonly events: EventLog;
  readonly planner: Planner;
  readonly log: BootLog;
  /** Epoch ms, for people only. */
  readonly clock: () => number;
  /** Ms that never jump (CLOCK_MONOTONIC): all leases and silences are counted by it. */
  readonly monotonic: () => number;
  /** As loaded. */
  readonly roleLeases: readonly RoleLease[];
}

const CHECK_MS = 1000;
/** A server that did not look for so long did not listen either: silence before that says nothing of the machines. */
const GAP_MS = 5000;

/** Who has the role of a machine, for people. */
export interface PlaceView {
  readonly role: string;
  readonly holder: string;
  readonly since?: number;
  readonly why?: string;
  readonly handing?: Holding['handing'];
  readonly leaseSeconds: number;
  /** Spares in the order in which they would be taken, with what is against each now. */
  readonly spares: readonly { readonly name: string; readonly unfit?: string }[];
}

/**
 * Spares (ADR 13): grants the lease under which a role with spares is run, notices who has lost it, and gives the role to a spare when
 * the lease is surely over. What is granted is on disk before; who holds what changes in memory only after the store has it.
 */
export class Standby {
  readonly #deps: StandbyDeps;
  readonly #tenures = new Map<string, Tenure>();
  /** What the store has of them: whatever is granted is compared with this, not with what was meant to be saved. */
  readonly #saved = new Map<string, RoleLease>();
  /** Last word of the lease in a heartbeat of this boot, and when (monotonic). */
  readonly #beats = new Map<string, { readonly word: LeaseWord | undefined; readonly at: number }>();
  /** Places that change hands at this moment: nobody is granted their lease. */
  readonly #moving = new Set<string>();
  /** What was last said of places that no spare can take, and of machines that came back. */
  readonly #told = new Map<string, string>();
  #countedFrom: number;
  #lookedAt: number;
  #looking = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: StandbyDeps) {
    this.#deps = deps;
    const now = deps.monotonic();
    this.#countedFrom = now;
    this.#lookedAt = now;
    for (const record of deps.roleLeases) {
      this.#saved.set(record.machine, record);
      this.#tenures.set(record.machine, tenureAtStart(record, now));
    }
  }

  start(): void {
    this.#timer = setInterval(() => void this.check(), CHECK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** A machine has claimed its boot: what it had before is gone with its RAM. Answers under which lease its systems will run. */
  async claimed(machine: Machine | undefined, claim: Claim): Promise<AnswerLines> {
    if (machine === undefined) return [];
    const { name } = machine;
    this.#beats.delete(name);
    await this.heard(name);
    const regime = this.#regime(machine);
    if (regime.kind === 'free') {
      await this.#forget(name);
      return [];
    }
    if (regime.kind === 'held') await this.#grant(regime, name, { uptime: 0, session: claim.session });
    return regimeLines(regime.seconds, this.#heartbeatSeconds(regime.seconds), regime.seconds);
  }

  /** The lease part of the answer to a heartbeat. */
  async heartbeat(machine: Machine | undefined, claim: Claim, lines: Lines): Promise<AnswerLines> {
    const word = lines.get('lease')?.[0];
    if (word !== undefined && !isLeaseWord(word))
      throw invalid(`"${word.slice(0, 40)}" is no word for a lease`, { field: 'lease', remedy: 'off, none or held' });
    const uptime = count(lines.get('uptime-ms')?.[0], 'uptime-ms');
    const { session } = claim;
    if (machine === undefined) return word === 'none' || word === 'held' ? regimeLines(0, HEARTBEAT_SECONDS) : [];
    const { name } = machine;
    await this.heard(name);
    const before = this.#beats.get(name)?.word;
    this.#beats.set(name, { word, at: this.#deps.monotonic() });
    if (word === 'none') this.#tenures.set(name, saidStopped(this.#tenureOf(name), uptime, session));
    const regime = this.#regime(machine);
    if (regime.kind === 'free') {
      // One whose role was taken away must stop, and the lease is the way to say so at once.
      if (machine.role === undefined && (word === 'none' || word === 'held')) return regimeLines(0, HEARTBEAT_SECONDS);
      await this.#forget(name);
      return [];
    }
    const { seconds } = regime;
    const heartbeatSeconds = this.#heartbeatSeconds(seconds);
    if (regime.kind === 'waits') {
      this.#tellReturned(machine, session);
      return regimeLines(0, heartbeatSeconds, seconds);
    }
    if (word === undefined || word === 'off') {
      // Its live OS does not keep the lease, or hears of it now for the first time: until it says so, nothing is counted on.
      await this.#forget(name);
      return regimeLines(seconds, heartbeatSeconds, seconds, regime.address);
    }
    if (word === 'none' && before === 'held') this.#tellStopped(machine, seconds);
    const got = await this.#grant(regime, name, { uptime, session });
    return got
      ? regimeLines(seconds, heartbeatSeconds, seconds, regime.address)
      : regimeLines(0, heartbeatSeconds, seconds);
  }

  /** It was heard with its credential. One that was said to be off is not. */
  async heard(name: string): Promise<void> {
    const tenure = this.#tenures.get(name);
    if (tenure === undefined) return;
    const next = { ...heard(tenure, this.#deps.monotonic()), off: false };
    this.#tenures.set(name, next);
    if (tenure.off) this.#record('machine.not-off', name, `${name} was said to be off, and is heard`, {}, 'warning');
    if (this.#saved.get(name)?.off === true) await this.#save(recordOf(next));
  }

  /** Looks at all roles with spares; every second, tests call it themselves. */
  async check(): Promise<void> {
    const now = this.#deps.monotonic();
    if (now - this.#lookedAt > GAP_MS) this.#countedFrom = now;
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
    const machine = this.#known(name);
    const place = machine.standsFor?.name ?? name;
    const before = state.holdings.get(place);
    const regime = this.#regime(machine);
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
    const candidates = this.#candidates(place, name);
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
    this.#record('role.handing', place, `${name} gives role ${machine.role} of ${place} to ${chosen}, asked by ${by}`, {
      role: machine.role,
      from: name,
      to: chosen,
      by,
    });
    return holding;
  }

  /** A person says that this machine is switched off. Throws `conflict` while it is heard. */
  async confirmOff(name: string, by: string): Promise<void> {
    const machine = this.#known(name);
    const now = this.#deps.monotonic();
    const regime = this.#regime(machine);
    const heartbeat = this.#heartbeatSeconds(regime.kind === 'free' ? undefined : regime.seconds);
    const tenure = this.#tenureOf(name);
    // A machine without a lease on record is heard by its heartbeats all the same.
    const beat = this.#beats.get(name)?.at ?? this.#countedFrom;
    if (!isSilent({ ...tenure, heardAt: Math.max(tenure.heardAt, beat) }, heartbeat, this.#countedFrom, now)) {
      throw conflict(`${name} was heard, or this server started, less than ${silenceMs(heartbeat) / 1000} s ago`, {
        remedy: 'switch it off, wait for three heartbeats, and say it again',
      });
    }
    await this.#off(tenure);
    this.#record('machine.confirmed-off', name, `${by} says that ${name} is switched off`, { by }, 'warning');
    await this.check();
  }

  /** A job switched it off, and it has been silent since. */
  async switchedOff(name: string): Promise<void> {
    if (this.#deps.state.written.has(name)) await this.#off(this.#tenureOf(name));
  }

  async #off(tenure: Tenure): Promise<void> {
    const { machine, heardAt } = tenure;
    this.#tenures.set(machine, tenure);
    await this.#save({ ...recordOf(tenure), off: true });
    const now = this.#tenureOf(machine);
    // It may have been heard while that was written.
    if (now.heardAt === heardAt) this.#tenures.set(machine, { ...now, off: true });
    else await this.#save(recordOf(now));
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

  /** Absent: the machine has no role, or one without spares. */
  view(name: string): PlaceView | undefined {
    const { state } = this.#deps;
    const written = state.written.get(name);
    const role = written?.role === undefined ? undefined : state.roles.get(written.role);
    const holding = state.holdings.get(name);
    if (role === undefined || (role.spares === undefined && holding === undefined)) return undefined;
    const holder = holding?.holder ?? name;
    return {
      role: role.name,
      holder,
      ...(holding === undefined ? {} : { since: holding.since, why: holding.why }),
      ...(holding?.handing === undefined ? {} : { handing: holding.handing }),
      leaseSeconds: role.spares?.leaseSeconds ?? 0,
      spares: this.#candidates(name, holder),
    };
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
      const tenure = this.#tenures.get(holding?.holder ?? name);
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
      tenure: this.#tenureOf(holder),
      heartbeatSeconds: this.#heartbeatSeconds(role?.spares?.leaseSeconds),
      candidates: this.#candidates(place, holder),
      countedFrom: this.#countedFrom,
      now,
    });
    if (decision.kind !== 'no-spare') this.#told.delete(place);
    if (decision.kind === 'move') await this.#move(place, holder, decision.to, decision.why);
    if (decision.kind !== 'no-spare') return;
    const reasons = decision.unfit.length === 0 ? 'there is none' : decision.unfit.join('; ');
    const text = `${decision.why}, and no spare can take role ${role?.name ?? ''}: ${reasons}`;
    if (this.#told.get(place) === text) return;
    this.#told.set(place, text);
    this.#record('role.no-spare', place, text, { role: role?.name ?? '', spares: [...decision.unfit] }, 'error');
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
      this.#saved.set(to, lease);
      const now = monotonic();
      this.#tenures.set(to, { ...this.#tenureOf(to), ...lease, until: now, heardAt: now });
      state.setHolding(place, holding);
      const asked = state.written.has(from) && why.startsWith('handed over');
      this.#record(
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

  /** Saved, then granted; false when the machine has ceased to be the holder meanwhile. Nothing is awaited after that is looked at. */
  async #grant(
    regime: Extract<Regime, { kind: 'held' }>,
    name: string,
    at: { readonly uptime: number; readonly session: string },
  ): Promise<boolean> {
    const { state, monotonic } = this.#deps;
    const { seconds, place } = regime;
    let record = beforeGrant(this.#tenureOf(name), seconds, monotonic());
    const known = this.#saved.get(name);
    if (known === undefined || !sameRecord(known, record)) await this.#save(record);
    const machine = state.machines.get(name);
    const still = machine === undefined ? undefined : this.#regime(machine);
    if (this.#moving.has(place) || still?.kind !== 'held' || still.place !== place || still.seconds !== seconds)
      return false;
    const tenure = this.#tenureOf(name);
    const again = beforeGrant(tenure, seconds, monotonic());
    // Two heartbeats at once: what the other one has put on disk is the longer of both.
    if (again.seconds > record.seconds) record = again;
    this.#tenures.set(name, granted(tenure, record, { ...at, seconds }, monotonic()));
    return true;
  }

  /** Its systems run without a lease from the answer on. */
  async #forget(name: string): Promise<void> {
    this.#tenures.delete(name);
    if (!this.#saved.has(name)) return;
    await this.#deps.store.saveStandby({ forgetLeases: [name] });
    this.#saved.delete(name);
  }

  async #save(record: RoleLease): Promise<void> {
    await this.#deps.store.saveStandby({ leases: [record] });
    this.#saved.set(record.machine, record);
  }

  #candidates(place: string, holder: string) {
    const { state, monotonic } = this.#deps;
    const now = monotonic();
    return candidatesFor({
      state,
      place,
      holder,
      isReady: (name) => {
        const beat = this.#beats.get(name);
        if (beat === undefined || now - beat.at > silenceMs(HEARTBEAT_SECONDS)) return 'is not up';
        return beat.word === 'none' ? undefined : 'still runs systems, or its live OS keeps no lease';
      },
    });
  }

  #regime(machine: Machine): Regime {
    const { state, planner } = this.#deps;
    const regime = regimeOf(machine, state, (address) => planner.subnetOf(address));
    return regime.kind === 'held' && this.#moving.has(regime.place)
      ? { kind: 'waits', seconds: regime.seconds }
      : regime;
  }

  #heartbeatSeconds(leaseSeconds: number | undefined): number {
    return leaseSeconds === undefined ? HEARTBEAT_SECONDS : leaseHeartbeatSeconds(leaseSeconds, HEARTBEAT_SECONDS);
  }

  #tenureOf(name: string): Tenure {
    return this.#tenures.get(name) ?? unknownTenure(name, this.#countedFrom);
  }

  #known(name: string): Machine {
    const machine = this.#deps.state.machines.get(name);
    if (machine === undefined) throw notFound(`there is no machine "${name}"`, { remedy: 'see: anybios machine list' });
    return machine;
  }

  #tellReturned({ name }: Machine, session: string): void {
    const holding = this.#deps.state.holdings.get(name);
    if (holding === undefined || holding.holder === name || holding.handing !== undefined) return;
    if (this.#told.get(`back ${name}`) === session) return;
    this.#told.set(`back ${name}`, session);
    const message = `${name} is back; ${holding.holder} keeps its role, ${name} waits as a spare. To give it back: anybios machine hand-over ${holding.holder}`;
    this.#record('machine.returned', name, message, { holder: holding.holder }, 'warning');
  }

  #tellStopped({ name }: Machine, seconds: number): void {
    const message = `${name} got no answer for its lease of ${seconds} s and stopped its systems; it gets the lease again`;
    this.#record('role.lease-over', name, message, { seconds }, 'warning');
  }

  #record(
    kind: string,
    machine: string,
    message: string,
    data: Parameters<EventLog['record']>[0]['data'],
    level: 'info' | 'warning' | 'error' = 'info',
  ): void {
    this.#deps.events.record({ source: 'server', kind, level, machine, message, data });
  }
}

/** `seconds` 0: it shall run nothing. `ofRole`: the whole lease, from which the machine takes the pace of its watchdog. */
function regimeLines(seconds: number, heartbeatSeconds: number, ofRole = 0, address?: Regime['address']): AnswerLines {
  return [
    ['lease-seconds', seconds],
    ...(ofRole === 0 ? [] : [['lease-margin-seconds', marginSeconds(ofRole)] as const]),
    ['heartbeat-seconds', heartbeatSeconds],
    ...(address === undefined ? [] : [['lease-address', `${formatIpv4(address.address)}/${address.prefix}`] as const]),
  ];
}
