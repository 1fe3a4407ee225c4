import { type Assignment, decideAssignment } from '../decide/assignment.js';
import { type BootPlan, decideBootPlan } from '../decide/boot-plan.js';
import type { BootChoice } from '../domain/boot-session.js';
import type { DesiredState } from '../domain/desired.js';
import type { DownloadLimits } from '../domain/download-limits.js';
import { contains, type Ipv4 } from '../domain/ipv4.js';
import { type Mac, macDashed } from '../domain/mac.js';
import type { Machine } from '../domain/machine.js';
import type { ServerIdentity, Subnet, UnknownPolicy } from '../domain/site.js';
import type { State } from '../state/state.js';

/** What the operator may change while the server runs. */
export interface SitePolicy {
  readonly subnets: readonly Subnet[];
  readonly unknown: UnknownPolicy;
  readonly downloads?: DownloadLimits;
  /** How many machines change at once while they run. */
  readonly changesAtOnce?: number;
}

/** What plans are made of, besides the site. */
export type PlannedFrom = Pick<State, 'roles' | 'systems' | 'profiles' | 'image' | 'damaged' | 'revision'>;

export interface PlannerOptions extends SitePolicy {
  readonly state: PlannedFrom;
  readonly identity: ServerIdentity;
}

/** Looks up what the pure decisions need, for one machine. */
export class Planner {
  #options: PlannerOptions;
  #configured = 0;

  constructor(options: PlannerOptions) {
    this.#options = options;
  }

  get identity(): ServerIdentity {
    return this.#options.identity;
  }

  /** Grows with every change of what plans are made of, but for the machine's own session and address. */
  get revision(): number {
    return this.#options.state.revision + this.#configured;
  }

  /**
   * What a machine's plan is made of, by identity: while nothing of it is another object, the plan is the same. Undefined: not to be
   * told so, because a file of an image is damaged.
   */
  madeOf(machine: Machine): readonly unknown[] | undefined {
    const { state } = this.#options;
    if (state.damaged.size > 0) return undefined;
    // A spare boots what the role that it waits for boots.
    const name = machine.role ?? machine.standby;
    const role = name === undefined ? undefined : state.roles.get(name);
    const profile = role === undefined ? undefined : state.profiles.get(role.profile);
    const systems = (role?.systems ?? []).map((system) => state.systems.get(system));
    const references = [
      profile?.kernel ?? 'kernel',
      profile?.rootfs,
      ...systems.flatMap((system) => [system?.image, system?.layer, system?.disk, system?.kernel]),
    ];
    const images = references.map((name) => (name === undefined ? undefined : state.image(name)));
    return [this.#configured, machine, role, profile, ...systems, ...images, state.image('kernel')];
  }

  /** The same site with other roles and systems: what would be planned after a change, or was before it. */
  over({ roles, systems }: Pick<DesiredState, 'roles' | 'systems'>): Planner {
    const { state } = this.#options;
    return new Planner({
      ...this.#options,
      state: {
        roles: new Map(roles.map((role) => [role.name, role])),
        systems: new Map(systems.map((system) => [system.name, system])),
        profiles: state.profiles,
        image: (reference) => state.image(reference),
        damaged: state.damaged,
        revision: state.revision,
      },
    });
  }

  /** Holds from the next question on; all of it or nothing. */
  configure(policy: SitePolicy): void {
    this.#configured += 1;
    this.#options = { ...this.#options, subnets: policy.subnets, unknown: policy.unknown };
  }

  assignment(mac: Mac, machine: Machine | undefined): Assignment {
    const { state, unknown } = this.#options;
    return decideAssignment({
      mac,
      machine,
      unknown,
      role: (n) => state.roles.get(n),
      profile: (n) => state.profiles.get(n),
    });
  }

  subnetOf(address: Ipv4 | undefined): Subnet | undefined {
    return address === undefined ? undefined : this.#options.subnets.find((subnet) => contains(subnet.cidr, address));
  }

  /** The subnet of this address; without an address the one that there is, if there is only one. */
  likelySubnet(address: Ipv4 | undefined): Subnet | undefined {
    const { subnets } = this.#options;
    return address === undefined && subnets.length === 1 ? subnets[0] : this.subnetOf(address);
  }

  plan(
    mac: Mac,
    machine: Machine | undefined,
    boot: {
      readonly address?: Ipv4 | undefined;
      readonly session?: string | undefined;
      readonly nonce?: string | undefined;
      readonly choice?: BootChoice | undefined;
    },
    assignment = this.assignment(mac, machine),
  ): BootPlan {
    const { state, identity } = this.#options;
    const address = boot.address ?? machine?.address;
    return decideBootPlan({
      assignment,
      mac,
      name: machine?.name ?? macDashed(mac),
      standsFor: machine?.standsFor?.name,
      server: identity,
      subnet: this.subnetOf(address),
      address,
      reserved: machine?.address !== undefined && machine.address === address,
      session: boot.session,
      nonce: boot.nonce,
      choice: boot.choice,
      system: (name) => state.systems.get(name),
      image: (reference) => state.image(reference),
      subnetOf: (wanted) => this.subnetOf(wanted),
      isDamaged: (digest) => state.damaged.has(digest),
    });
  }
}
