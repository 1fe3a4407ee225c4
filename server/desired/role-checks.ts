import type { Profile } from '../domain/profile.js';
import type { Role } from '../domain/role.js';
import type { System } from '../domain/system.js';
import type { Path, Problem } from '../yaml/problem.js';
import { suggest } from '../yaml/suggest.js';
import { type Merged, missing, type Placed } from './merged.js';
import type { SiteContext } from './site-file.js';
import { choice, unsupported } from './supported.js';

/**
 * References of roles, and what their profiles cannot honour. A role that the file does not hold is looked at too when the file
 * changes one of its systems; the problem is then reported at that system.
 */
export function roleProblems({ roles, systems }: Merged, { profiles, commandLineFault }: SiteContext): Problem[] {
  return [...roles.values()].flatMap((placed) => {
    const { value: role, path } = placed;
    const profile = profiles.get(role.profile);
    const problems: Problem[] = [];
    if (path !== undefined) {
      if (profile === undefined) problems.push(missing([...path, 'profile'], 'profile', role.profile, profiles.keys()));
      else problems.push(...ownProblems(role, path, profile));
      // Of a role that is wrong already nothing would be learnt.
      const fault = problems.length > 0 || profile === undefined ? undefined : commandLineFault?.(role, profile);
      if (fault !== undefined) problems.push({ ...fault, path: [...path, fault.field] });
    }
    role.systems.forEach((name, index) => {
      const system = systems.get(name);
      const at = path === undefined ? undefined : [...path, 'systems', index];
      if (system === undefined) {
        if (at !== undefined) problems.push(missing(at, 'system', name, systems.keys()));
      } else if (profile?.kind === 'boot') {
        problems.push(...unsupportedProblems({ role, at, system, profile }));
      }
    });
    return problems;
  });
}

function ownProblems(role: Role, path: Path, profile: Profile): Problem[] {
  const problems: Problem[] = [];
  const { modes } = profile.supports;
  const runsSystems = profile.kind === 'boot';
  if (!runsSystems && role.systems.length > 0) {
    const message = `profile ${profile.name} starts no systems`;
    problems.push({ path: [...path, 'systems'], message, allowed: 'no systems' });
  }
  if (!runsSystems && role.mode !== 'resident') {
    const message = `profile ${profile.name} starts no systems, so it has no mode ${role.mode}`;
    problems.push({ path: [...path, 'mode'], message, allowed: 'no mode' });
  }
  if (runsSystems && !modes.includes(role.mode)) {
    const message = `profile ${profile.name} has no mode ${role.mode}`;
    problems.push({ path: [...path, 'mode'], message, allowed: choice(modes) });
  }
  if (runsSystems && role.mode === 'single' && role.systems.length !== 1) {
    const message = `mode single gives the machine to one system, here are ${role.systems.length}`;
    problems.push({ path: [...path, 'systems'], message, allowed: 'exactly one system, or mode: resident' });
  }
  role.systems.forEach((name, index) => {
    if (role.systems.indexOf(name) !== index) {
      problems.push({
        path: [...path, 'systems', index],
        message: `system ${name} is there twice`,
        allowed: 'each system once',
      });
    }
  });
  const params = Object.keys(profile.params);
  for (const name of Object.keys(role.params).filter((key) => !params.includes(key))) {
    problems.push({
      path: [...path, 'params', name],
      message: `profile ${profile.name} has no such parameter${suggest(name, params)}`,
      allowed: params.length === 0 ? 'no params' : params.join(' | '),
    });
  }
  return problems;
}

interface Use {
  readonly role: Role;
  /** Where the role names the system; absent: the role is not in the file. */
  readonly at: Path | undefined;
  readonly system: Placed<System>;
  readonly profile: Profile;
}

/** Blamed on the system if the file holds it, else on the role. */
function unsupportedProblems({ role, at, system: { value: system, path }, profile }: Use): Problem[] {
  return unsupported(role, system, profile).flatMap(({ field, message, allowed }) => {
    const where = path === undefined ? at : [...path, field];
    if (where === undefined) return [];
    return [{ path: where, message: `system ${system.name} in role ${role.name}: ${message}`, allowed }];
  });
}
