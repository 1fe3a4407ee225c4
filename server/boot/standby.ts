import { HEARTBEAT_SECONDS } from '../decide/machine-status.js';
import { beforeGrant, granted, marginSeconds, saidStopped, sameRecord, silenceMs } from '../decide/role-lease.js';
import type { Claim } from '../domain/boot-session.js';
import type { Change, DesiredState } from '../domain/desired.js';
import { conflict, invalid } from '../domain/errors.js';
import { formatIpv4 } from '../domain/ipv4.js';
import type { Machine } from '../domain/machine.js';
import { type Holding, isLeaseWord, type RoleLease } from '../domain/standby.js';
import { type AnswerLines, count, type Lines } from './machine-lines.js';
import { RoleHolders, type RoleHoldersDeps } from './role-holders.js';
import { RoleTenures } from './role-tenures.js';
import { heartbeatSecondsOf, type Regime } from './standby-rules.js';

export interface StandbyDeps extends Omit<RoleHoldersDeps, 'tenures'> {
  /** As loaded. */
  readonly roleLeases: readonly RoleLease[];
}

const CHECK_MS = 1000;
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
 * Spares (ADR 13) as machines and people see them: grants the lease under which a role with spares is run (role-tenures.ts keeps
 * them), and says who is off. What is granted is on disk before. Who holds what is decided in role-holders.ts.
 */
export class Standby {
  readonly #deps: StandbyDeps;
  readonly #tenures: RoleTenures;
  readonly #holders: RoleHolders;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: StandbyDeps) {
    this.#deps = deps;
    this.#tenures = new RoleTenures(deps);
    this.#holders = new RoleHolders({ ...deps, tenures: this.#tenures });
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
    this.#tenures.booted(name);
    await this.heard(name);
    const regime = this.#holders.regime(machine);
    if (regime.kind === 'free') {
      await this.#tenures.forget(name);
      return [];
    }
    if (regime.kind === 'held') await this.#grant(regime, name, { uptime: 0, session: claim.session });
    return regimeLines(regime.seconds, heartbeatSecondsOf(regime.seconds), regime.seconds);
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
    const before = this.#tenures.beat(name, word);
    if (word === 'none') this.#tenures.set(saidStopped(this.#tenures.of(name), uptime, session));
    const regime = this.#holders.regime(machine);
    if (regime.kind === 'free') {
      // One whose role was taken away must stop, and the lease is the way to say so at once.
      if (machine.role === undefined && (word === 'none' || word === 'held')) return regimeLines(0, HEARTBEAT_SECONDS);
      await this.#tenures.forget(name);
      return [];
    }
    const { seconds } = regime;
    const heartbeatSeconds = heartbeatSecondsOf(seconds);
    if (regime.kind === 'waits') {
      this.#holders.tellReturned(machine, session);
      return regimeLines(0, heartbeatSeconds, seconds);
    }
    if (word === undefined || word === 'off') {
      // Its live OS does not keep the lease, or hears of it now for the first time: until it says so, nothing is counted on.
      await this.#tenures.forget(name);
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
    if (await this.#tenures.heard(name))
      this.#holders.record('machine.not-off', name, `${name} was said to be off, and is heard`, {}, 'warning');
  }

  /** Looks at all roles with spares; every second, tests call it themselves. */
  check(): Promise<void> {
    return this.#holders.check();
  }

  /** Gives what `name` holds to another machine (RoleHolders.handOver). */
  handOver(name: string, to: string | undefined, by: string): Promise<Holding> {
    return this.#holders.handOver(name, to, by);
  }

  /** A person says that this machine is switched off. Throws `conflict` while it is heard. */
  async confirmOff(name: string, by: string): Promise<void> {
    const regime = this.#holders.regime(this.#holders.known(name));
    const heartbeat = heartbeatSecondsOf(regime.kind === 'free' ? undefined : regime.seconds);
    if (!this.#tenures.isSilent(name, heartbeat)) {
      throw conflict(`${name} was heard, or this server started, less than ${silenceMs(heartbeat) / 1000} s ago`, {
        remedy: 'switch it off, wait for three heartbeats, and say it again',
      });
    }
    await this.#tenures.off(name);
    this.#holders.record('machine.confirmed-off', name, `${by} says that ${name} is switched off`, { by }, 'warning');
    await this.check();
  }

  /** A job switched it off, and it has been silent since. */
  async switchedOff(name: string): Promise<void> {
    if (this.#deps.state.written.has(name)) await this.#tenures.off(name);
  }

  /** Throws `conflict` for a change that would leave a role with two machines, or take away one that stands in. */
  refuse(changes: readonly Change[], after: DesiredState): void {
    this.#holders.refuse(changes, after);
  }

  /** After the desired state has changed: a place that is gone, or whose holder has a role of its own now, is nobody's. */
  desiredChanged(): Promise<void> {
    return this.#holders.desiredChanged();
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
      spares: this.#holders.candidates(name, holder),
    };
  }

  /** Saved, then granted; false when the machine has ceased to be the holder meanwhile. Nothing is awaited after that is looked at. */
  async #grant(
    regime: Extract<Regime, { kind: 'held' }>,
    name: string,
    at: { readonly uptime: number; readonly session: string },
  ): Promise<boolean> {
    const { state, monotonic } = this.#deps;
    const { seconds, place } = regime;
    let record = beforeGrant(this.#tenures.of(name), seconds, monotonic());
    const known = this.#tenures.saved(name);
    if (known === undefined || !sameRecord(known, record)) await this.#tenures.save(record);
    const machine = state.machines.get(name);
    const still = machine === undefined ? undefined : this.#holders.regime(machine);
    if (this.#holders.isChanging(place) || still?.kind !== 'held' || still.place !== place || still.seconds !== seconds)
      return false;
    const tenure = this.#tenures.of(name);
    const again = beforeGrant(tenure, seconds, monotonic());
    // Two heartbeats at once: what the other one has put on disk is the longer of both.
    if (again.seconds > record.seconds) record = again;
    this.#tenures.set(granted(tenure, record, { ...at, seconds }, monotonic()));
    return true;
  }

  #tellStopped({ name }: Machine, seconds: number): void {
    const message = `${name} got no answer for its lease of ${seconds} s and stopped its systems; it gets the lease again`;
    this.#holders.record('role.lease-over', name, message, { seconds }, 'warning');
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
