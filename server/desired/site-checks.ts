import { type Problem, quoted } from '../yaml/problem.js';
import { machineProblems } from './machine-checks.js';
import { merge } from './merged.js';
import { roleProblems } from './role-checks.js';
import { roleSystemProblems } from './role-system-checks.js';
import type { SiteContext, SiteFile } from './site-file.js';
import { spareProblems } from './spare-checks.js';
import { systemProblems } from './system-checks.js';

/**
 * What is wrong with a site file although every value by itself is right: names given twice, references to nothing, and what a
 * profile cannot honour. Checks the state that would result, but blames only what stands in the file.
 */
export function siteProblems(file: SiteFile, context: SiteContext): Problem[] {
  const merged = merge(file, context);
  return [
    ...duplicateNames(file.systems, 'systems'),
    ...duplicateNames(file.roles, 'roles'),
    ...duplicateNames(file.machines, 'machines'),
    ...systemProblems(merged, context),
    ...roleProblems(merged, context),
    ...roleSystemProblems(merged),
    ...spareProblems(merged, context),
    ...machineProblems(merged, context),
  ];
}

function duplicateNames(list: readonly { readonly name: string }[] | undefined, kind: string): Problem[] {
  const seen = new Set<string>();
  return (list ?? []).flatMap(({ name }, index) => {
    if (!seen.has(name)) {
      seen.add(name);
      return [];
    }
    return [{ path: [kind, index, 'name'], message: `${quoted(name)} is there twice`, allowed: 'each name once' }];
  });
}
