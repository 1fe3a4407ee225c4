import type { Machine } from '../domain/machine.js';
import type { Role } from '../domain/role.js';
import type { System } from '../domain/system.js';
import { type Path, type Problem, quoted } from '../yaml/problem.js';
import { suggest } from '../yaml/suggest.js';
import type { SiteContext, SiteFile } from './site-file.js';

/** Something of the merged state; `path` is there when it stands in the file. */
export interface Placed<T> {
  readonly value: T;
  readonly path?: Path;
}

/** What the state would be: the file over the current state. */
export interface Merged {
  readonly machines: readonly Placed<Machine>[];
  readonly roles: ReadonlyMap<string, Placed<Role>>;
  readonly systems: ReadonlyMap<string, Placed<System>>;
}

/** The file over the current state; with `prune`, lists that the file has replace theirs. */
export function merge(file: SiteFile, { current, prune = false }: SiteContext): Merged {
  const over = <T extends { readonly name: string }>(
    kind: keyof SiteFile,
    old: readonly T[],
    given: readonly T[] | undefined,
  ): Placed<T>[] => {
    const listed = new Set(given?.map(({ name }) => name));
    const kept = prune && given !== undefined ? [] : old.filter(({ name }) => !listed.has(name));
    return [
      ...kept.map((value) => ({ value })),
      ...(given ?? []).map((value, index) => ({ value, path: [kind, index] })),
    ];
  };
  const byName = <T extends { readonly name: string }>(list: readonly Placed<T>[]): Map<string, Placed<T>> =>
    new Map(list.map((placed) => [placed.value.name, placed]));
  return {
    machines: over('machines', current.machines, file.machines),
    roles: byName(over('roles', current.roles, file.roles)),
    systems: byName(over('systems', current.systems, file.systems)),
  };
}

/** `there is no role "wbe" (did you mean "web"?); allowed: …`. */
export function missing(path: Path, what: string, name: string, known: Iterable<string>): Problem {
  const names = [...known].sort();
  const list = names.length > 12 ? `${names.slice(0, 12).join(' | ')} | …` : names.join(' | ');
  return {
    path,
    message: `there is no ${what} ${quoted(name)}${suggest(name, names)}`,
    allowed: names.length === 0 ? `none is defined yet` : list,
  };
}
