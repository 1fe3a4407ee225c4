import type { DesiredState } from '../domain/desired.js';
import type { Image } from '../domain/image.js';
import type { Machine } from '../domain/machine.js';
import type { Profile } from '../domain/profile.js';
import type { Role } from '../domain/role.js';
import type { Subnet } from '../domain/site.js';
import type { System } from '../domain/system.js';
import { check, type Path, type Problem, refusal } from '../yaml/problem.js';
import { YamlText } from '../yaml/yaml-text.js';
import { machineFromForm, roleFromForm, type SiteForm, siteSchema, systemFromForm } from './schemas.js';
import { siteProblems } from './site-checks.js';
import type { Unsupported } from './supported.js';

/** What one site file wants. An absent list says nothing about its kind. */
export type SiteFile = { readonly [K in keyof DesiredState]?: DesiredState[K] };

/** What a site file is checked against. */
export interface SiteContext {
  readonly profiles: ReadonlyMap<string, Profile>;
  readonly current: DesiredState;
  /** Finds an image by reference (`State.image`); absent: images are not checked. */
  readonly image?: (reference: string) => Image | undefined;
  /** Absent: reserved addresses are not compared with the subnets. */
  readonly subnets?: readonly Subnet[];
  /** What is wrong with a template of `files`, or undefined; absent: templates are not compiled. */
  readonly templateFault?: (text: string) => string | undefined;
  /** Why no machine of a role could boot; absent: command lines are not made. */
  readonly commandLineFault?: (role: Role, profile: Profile) => Unsupported | undefined;
  /** The file is to be applied with `--prune`: what it does not list does not count. */
  readonly prune?: boolean;
}

/**
 * Reads a site file. Throws `invalid` with every problem, each on a line with file, line, key, and what is allowed; nothing of a
 * file with a problem is used.
 */
export function parseSite(text: string, context: SiteContext, fileName = 'site.yaml'): SiteFile {
  const yaml = new YamlText(text, fileName);
  return checkSite(yaml.value ?? {}, context, (path) => yaml.place(path));
}

/** The same for data from elsewhere; `place` says where a path stands. */
export function checkSite(
  value: unknown,
  context: SiteContext,
  place: (path: Path) => string | undefined = () => undefined,
): SiteFile {
  const { site, problems } = examine(value, context);
  if (problems.length > 0) throw refusal(problems, place);
  return site;
}

/** One machine as the REST API takes it. Throws `invalid`; fields are named from the machine down (`macs[0]`). */
export function parseMachine(body: unknown, context: SiteContext): Machine {
  return one(examine({ machines: [body] }, context), ({ machines }) => machines);
}

export function parseRole(body: unknown, context: SiteContext): Role {
  return one(examine({ roles: [body] }, context), ({ roles }) => roles);
}

export function parseSystem(body: unknown, context: SiteContext): System {
  return one(examine({ systems: [body] }, context), ({ systems }) => systems);
}

interface Examined {
  readonly site: SiteFile;
  readonly problems: readonly Problem[];
}

function examine(value: unknown, context: SiteContext): Examined {
  const result = check(siteSchema, value);
  if (result.problems !== undefined) return { site: {}, problems: result.problems };
  const site = fromForm(result.value);
  return { site, problems: siteProblems(site, context) };
}

function fromForm({ machines, roles, systems }: SiteForm): SiteFile {
  return {
    ...(machines === undefined ? {} : { machines: machines.map(machineFromForm) }),
    ...(roles === undefined ? {} : { roles: roles.map(roleFromForm) }),
    ...(systems === undefined ? {} : { systems: systems.map(systemFromForm) }),
  };
}

function one<T>({ site, problems }: Examined, list: (site: SiteFile) => readonly T[] | undefined): T {
  const [value] = list(site) ?? [];
  if (problems.length === 0 && value !== undefined) return value;
  // The list around the one resource is ours: `machines[0].macs[0]` is `macs[0]` to the caller.
  throw refusal(
    problems.map((problem) => ({ ...problem, path: problem.path.slice(2) })),
    () => undefined,
  );
}
