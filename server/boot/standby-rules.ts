import type { Candidate } from '../decide/holder.js';
import { HEARTBEAT_SECONDS } from '../decide/machine-status.js';
import { leaseHeartbeatSeconds } from '../decide/role-lease.js';
import type { Ipv4 } from '../domain/ipv4.js';
import type { Machine } from '../domain/machine.js';
import type { Subnet } from '../domain/site.js';
import { DEFAULT_LEASE_SECONDS, LEASE_FEATURE, spareOrder } from '../domain/standby.js';
import type { State } from '../state/state.js';

interface LeaseAddress {
  readonly address: Ipv4;
  readonly prefix: number;
}

/** How a machine runs systems now. */
export type Regime = { readonly address?: LeaseAddress } & (
  | { /** Without a lease. */ readonly kind: 'free' }
  /** It has the role of `place`; `address` is reserved for that and goes with it. */
  | { readonly kind: 'held'; readonly place: string; readonly seconds: number }
  /** It stands by: it runs nothing. */
  | { readonly kind: 'waits'; readonly seconds: number }
);

/** `machine` as it stands (state/standing.ts). Addresses go with a role only where this server gives them. */
export function regimeOf(
  machine: Machine,
  { roles, profiles }: Pick<State, 'roles' | 'profiles'>,
  subnetOf: (address: Ipv4) => Subnet | undefined,
): Regime {
  const seconds = (role: string): number => roles.get(role)?.spares?.leaseSeconds ?? DEFAULT_LEASE_SECONDS;
  if (machine.role === undefined)
    return machine.standby === undefined ? { kind: 'free' } : { kind: 'waits', seconds: seconds(machine.standby) };
  const role = roles.get(machine.role);
  const keeps = profiles.get(role?.profile ?? '')?.supports.features.includes(LEASE_FEATURE) === true;
  const leased = machine.standsFor !== undefined || (role?.spares !== undefined && keeps);
  if (!leased) return { kind: 'free' };
  const place = machine.standsFor?.name ?? machine.name;
  const held = { kind: 'held', place, seconds: seconds(machine.role) } as const;
  const address = machine.standsFor === undefined ? machine.address : machine.standsFor.address;
  const subnet = address === undefined ? undefined : subnetOf(address);
  if (address === undefined || subnet?.mode !== 'full') return held;
  return { ...held, address: { address, prefix: subnet.cidr.prefix } };
}

export interface CandidatesInput {
  readonly state: State;
  readonly place: string;
  readonly holder: string;
  /** Why this machine cannot begin now; undefined = it waits in its live OS and runs nothing. */
  readonly isReady: (name: string) => string | undefined;
}

/** The spares of a place in their order, with what is against each. */
export function candidatesFor({ state, place, holder, isReady }: CandidatesInput): readonly Candidate[] {
  const role = state.roles.get(state.written.get(place)?.role ?? '');
  if (role === undefined) return [];
  const displaced = [...state.holdings.values()]
    .filter((one) => one.holder !== one.place && state.written.get(one.place)?.role === role.name)
    .map((one) => one.place);
  const spares = role.spares ?? { machines: [], labels: {}, leaseSeconds: DEFAULT_LEASE_SECONDS };
  const order = spareOrder(spares, state.written.values(), displaced);
  return order
    .filter((name) => name !== holder)
    .map((name) => {
      const unfit = unfitness(name) ?? isReady(name) ?? wrongMachine(name);
      return { name, ...(unfit === undefined ? {} : { unfit }) };
    });

  function unfitness(name: string): string | undefined {
    const machine = state.machines.get(name);
    if (machine === undefined) return 'is no machine';
    if (state.isMoving(name)) return 'is part of a move';
    if (machine.standsFor !== undefined) return `has the role of ${machine.standsFor.name}`;
    if (machine.role !== undefined) return `has role ${machine.role}`;
    return undefined;
  }

  function wrongMachine(name: string): string | undefined {
    // A standby takes systems in, no other live OS: it has booted that of the profile, or it is not fit.
    const rootfs = state.profiles.get(role?.profile ?? '')?.rootfs?.split(':')[0];
    const loaded = state.sessions.get(name)?.images ?? [];
    if (!loaded.some((version) => version.split(':')[0] === rootfs))
      return `has not booted the live OS of profile ${role?.profile}`;
    for (const system of role?.systems ?? []) {
      const storage = state.systems.get(system)?.storage;
      if (typeof storage !== 'object' || !('label' in storage)) continue;
      if (state.written.get(name)?.disks?.[storage.label] === undefined)
        return `declares no disk with label ${storage.label}, where ${system} writes`;
    }
    return undefined;
  }
}

/** How often a machine with a lease of so many seconds is heard; undefined = without one. */
export function heartbeatSecondsOf(leaseSeconds: number | undefined): number {
  return leaseSeconds === undefined ? HEARTBEAT_SECONDS : leaseHeartbeatSeconds(leaseSeconds, HEARTBEAT_SECONDS);
}
