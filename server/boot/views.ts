import type { Assignment } from '../decide/assignment.js';
import { machineStatus } from '../decide/machine-status.js';
import { chosenOptions, optionName, optionText } from '../decide/options.js';
import { archKey, archOf } from '../domain/arch.js';
import type { BootSession } from '../domain/boot-session.js';
import type { Change } from '../domain/desired.js';
import { conflict, invalid, notFound } from '../domain/errors.js';
import { formatIpv4, type Ipv4 } from '../domain/ipv4.js';
import { type Mac, parseMac } from '../domain/mac.js';
import type { Machine, MachineStatus, Observed, ObservedSystem } from '../domain/machine.js';
import type { Subnet } from '../domain/site.js';
import type { State } from '../state/state.js';
import type { Boot } from './boot.js';
import type { DhcpFacts } from './contract.js';
import type { EventLog } from './event-log.js';
import { evidenceOf, toldBy } from './evidence.js';
import type { Observations } from './observations.js';
import type { Planner } from './planner.js';
import { type RenderProfile, type ScriptLoader, scriptData } from './scripts.js';
import type { Sessions } from './sessions.js';

export interface ViewsDeps {
  readonly state: State;
  readonly boot: Boot;
  readonly sessions: Sessions;
  readonly observations: Observations;
  readonly planner: Planner;
  readonly events: EventLog;
  readonly renderProfile: RenderProfile;
  readonly leaseAddress: (mac: Mac) => Ipv4 | undefined;
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
  /** The address it has now (lease or boot session). */
  readonly address?: Ipv4;
  /** The newest boot session. */
  readonly session?: BootSession;
  /** Assigned systems and what the machine reported of them; `unknown` when the machine is lost. */
  readonly systems: readonly ObservedSystem[];
}

interface ExplainLine {
  readonly what: string;
  readonly value: string;
  readonly why: string;
}

/** What a machine would be given now, one line per value, each with its reason. */
export interface Explanation {
  readonly machine: string;
  readonly lines: readonly ExplainLine[];
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
    const { state, sessions, leaseAddress, clock, serverStartedAt } = this.#deps;
    const machine = state.machines.get(key);
    const observed = state.observed.get(key);
    if (machine === undefined && observed === undefined) return undefined;
    const session = sessions.of(key);
    const status = machineStatus({ known: machine !== undefined, observed, session, now: clock(), serverStartedAt });
    const mac = observed?.mac ?? machine?.macs[0];
    const address = (mac === undefined ? undefined : leaseAddress(mac)) ?? session?.address ?? machine?.address;
    return {
      key,
      ...(machine === undefined ? {} : { machine }),
      ...(observed === undefined ? {} : { observed }),
      status,
      ...(address === undefined ? {} : { address }),
      ...(session === undefined ? {} : { session }),
      systems: this.#systemsOf(machine, observed, status),
    };
  }

  /** What this machine would be given now, firmware by firmware, and why each value. Throws `not_found`. */
  explain(key: string): Explanation {
    const { boot, planner, observations, sessions, leaseAddress } = this.#deps;
    const { machine, mac } = this.#find(key);
    const observed = observations.get(key);
    const address = leaseAddress(mac) ?? sessions.of(key)?.address ?? machine?.address;
    const plan = planner.plan(mac, machine, { address });
    const lines: ExplainLine[] = [
      {
        what: 'machine',
        value: machine?.name ?? mac,
        why: machine === undefined ? 'seen on the network, not registered' : toldBy(machine),
      },
      {
        what: 'address',
        value: address === undefined ? 'none yet' : formatIpv4(address),
        why:
          machine?.address !== undefined
            ? 'reserved for the machine'
            : address === undefined
              ? 'the next free one of a pool'
              : 'its lease',
      },
      {
        what: 'secure boot',
        value: observed?.secureBoot ?? 'unknown',
        why:
          observed?.secureBoot === undefined
            ? 'stage 1 has not reported it, or it was forgotten'
            : 'last report of its stage 1',
      },
    ];
    const subnet = planner.likelySubnet(address);
    const firmware: readonly { readonly what: string; readonly facts: DhcpFacts }[] = [
      { what: 'BIOS gets', facts: { mac, client: 'pxe', arch: 0 } as const },
      { what: 'UEFI gets', facts: { mac, client: 'pxe', arch: 7 } as const },
      { what: 'UEFI HTTP gets', facts: { mac, client: 'http', arch: 16 } as const },
      ...this.#otherArchs(mac, machine, observed, subnet),
      { what: 'iPXE gets', facts: { mac, client: 'ipxe' } as const },
    ];
    const mode = subnet?.mode === 'proxy' ? 'proxy' : 'full';
    for (const { what, facts } of firmware) {
      if (observed?.arch !== undefined && facts.arch !== undefined && !sameFamily(observed.arch, facts.arch)) continue;
      const offer = boot.bootOffer(
        { ...facts, ...evidenceOf(machine) },
        {
          mode,
          ...(subnet?.loader === undefined ? {} : { loader: subnet.loader }),
          ...(subnet?.bootFiles === undefined ? {} : { bootFiles: subnet.bootFiles }),
        },
      );
      lines.push({
        what,
        value: offer.kind === 'loader' ? offer.file : offer.kind === 'script' ? offer.url : 'no boot file',
        why: offer.reason,
      });
      if (offer.kind === 'loader' && offer.proxyStyle !== undefined)
        lines.push({
          what: 'proxy style',
          value: offer.proxyStyle,
          why:
            observed?.proxyStyle === undefined
              ? `the usual one of ${what === 'BIOS gets' ? 'BIOS' : 'UEFI'} ROMs`
              : observed.proxyStyleProven === true
                ? 'a boot loader was fetched after such an offer'
                : 'offers of the other style led nowhere',
        });
    }
    lines.push(...this.#options(mac, machine, subnet));
    for (const { key: what, value, reason } of plan.why) lines.push({ what, value, why: reason });
    if (plan.kind !== 'boot')
      lines.push({ what: 'boot', value: plan.kind === 'local' ? 'its own disk' : 'nothing', why: plan.reason });
    return { machine: key, lines };
  }

  /** Architectures besides the four of PCs: what it showed, and what somebody set a boot file for. */
  #otherArchs(
    mac: Mac,
    machine: Machine | undefined,
    observed: Observed | undefined,
    subnet: Subnet | undefined,
  ): { readonly what: string; readonly facts: DhcpFacts }[] {
    const assigned = this.#deps.planner.assignment(mac, machine);
    const profile = assigned.kind === 'none' ? undefined : assigned.profile;
    const keys = [machine?.bootFiles, profile?.bootFiles, subnet?.bootFiles].flatMap((files) =>
      Object.keys(files ?? {}),
    );
    const archs = new Set([...keys.map(archKey), observed?.arch].filter((arch) => typeof arch === 'number'));
    return [...archs]
      .filter((arch) => ![0, 7, 9, 16].includes(arch))
      .map((arch) => {
        const known = archOf(arch);
        const client = known?.http === true ? 'http' : 'pxe';
        return { what: `${known?.name ?? `arch ${arch}`} gets`, facts: { mac, client, arch } };
      });
  }

  /** The DHCP options that people set for it, and where. */
  #options(mac: Mac, machine: Machine | undefined, subnet: Subnet | undefined): ExplainLine[] {
    if (subnet !== undefined && subnet.mode !== 'full') return [];
    const role = this.#deps.boot.senderOf({ mac, client: 'os', ...evidenceOf(machine) }).role;
    return Array.from(chosenOptions({ subnet, role, machine }).values(), (option) => ({
      what: optionName(option),
      value: optionText(option),
      why: `set on the ${option.source}`,
    }));
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
    const plan = planner.plan(mac, machine, { address: leaseAddress(mac) ?? sessions.of(key)?.address }, assignment);
    if (plan.kind === 'none') throw invalid(plan.reason, { field: 'profile', remedy: plan.remedy });
    return renderProfile(profileName, loader, scriptData(plan, assignment, mac, machine, planner.identity, undefined));
  }

  /** After store and state have the changes: what was seen follows the machine; one event per change. */
  async desiredChanged(changes: readonly Change[], by: string): Promise<void> {
    const { events, observations, sessions, clock } = this.#deps;
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

function sameFamily(a: number, b: number): boolean {
  const family = (arch: number): string => (arch === 0 ? 'bios' : arch >= 15 ? 'http' : 'uefi');
  return family(a) === family(b);
}
