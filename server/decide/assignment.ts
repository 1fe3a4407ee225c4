import type { Mac } from '../domain/mac.js';
import type { Machine } from '../domain/machine.js';
import type { Profile } from '../domain/profile.js';
import type { Role } from '../domain/role.js';
import type { UnknownPolicy } from '../domain/site.js';

/** What a machine must be now, before images and addresses are looked at. Every branch carries its reason. */
export type Assignment =
  | { readonly kind: 'role'; readonly role: Role; readonly profile: Profile; readonly reason: string }
  | { readonly kind: 'discover'; readonly profile: Profile; readonly reason: string }
  | { readonly kind: 'none'; readonly reason: string; readonly unlisted: boolean };

export interface AssignmentInput {
  readonly mac: Mac;
  /** undefined = unknown. */
  readonly machine: Machine | undefined;
  readonly unknown: UnknownPolicy;
  readonly role: (name: string) => Role | undefined;
  readonly profile: (name: string) => Profile | undefined;
}

/** The machine's role, else the policy for unknown machines; a known machine without a role boots nothing. */
export function decideAssignment({ mac, machine, unknown, role, profile }: AssignmentInput): Assignment {
  const byRole = (name: string, why: string): Assignment => {
    const found = role(name);
    if (found === undefined) return { kind: 'none', reason: `${why}, which does not exist`, unlisted: false };
    const itsProfile = profile(found.profile);
    if (itsProfile === undefined)
      return {
        kind: 'none',
        reason: `role ${name} names profile ${found.profile}, which does not exist`,
        unlisted: false,
      };
    return { kind: 'role', role: found, profile: itsProfile, reason: why };
  };
  if (machine !== undefined) {
    if (machine.role === undefined && machine.standby !== undefined)
      return standsBy(byRole(machine.standby, `machine ${machine.name} waits as a spare of role ${machine.standby}`));
    if (machine.role === undefined)
      return { kind: 'none', reason: `machine ${machine.name} has no role`, unlisted: false };
    const place = machine.standsFor === undefined ? '' : `, that of ${machine.standsFor.name}`;
    return byRole(machine.role, `machine ${machine.name} has role ${machine.role}${place}`);
  }
  switch (unknown.kind) {
    case 'localdisk':
      return { kind: 'none', reason: `no machine has MAC ${mac}; unknownMachines is localdisk`, unlisted: false };
    case 'ignore':
      return { kind: 'none', reason: `no machine has MAC ${mac}; unknownMachines is ignore`, unlisted: true };
    case 'role':
      return byRole(unknown.role, `no machine has MAC ${mac}; unknownMachines gives role ${unknown.role}`);
    case 'discover': {
      const discover = profile('discover');
      if (discover === undefined)
        return {
          kind: 'none',
          reason: 'unknownMachines is discover, but there is no profile "discover"',
          unlisted: false,
        };
      return { kind: 'discover', profile: discover, reason: `no machine has MAC ${mac}; unknownMachines is discover` };
    }
  }
}

/** A spare boots what the role boots, and no system. */
function standsBy(assignment: Assignment): Assignment {
  if (assignment.kind !== 'role') return assignment;
  return { ...assignment, role: { ...assignment.role, systems: [] } };
}
