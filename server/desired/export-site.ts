import { Document, isScalar, isSeq, visit } from 'yaml';
import type { DesiredState } from '../domain/desired.js';
import { machineToJson, roleToJson, systemToJson } from './resource-json.js';

/**
 * The state as a site file, sorted by name; applying it again changes nothing. Lists of single values stand on one line; text that
 * YAML 1.1 readers would take for a number (`52:54:00:00:00:01`) is quoted.
 */
export function exportSite({ machines, roles, systems }: DesiredState): string {
  const site = {
    systems: sorted(systems).map((system) => withoutEmpty(systemToJson(system))),
    roles: sorted(roles).map((role) => withoutEmpty(roleToJson(role))),
    machines: sorted(machines).map((machine) => withoutEmpty(machineToJson(machine))),
  };
  const document = new Document(site, { compat: 'yaml-1.1' });
  visit(document, {
    Seq(_key, node) {
      if (isSeq(node) && node.items.every((item) => isScalar(item))) node.flow = true;
    },
  });
  return document.toString({ lineWidth: 0 });
}

function sorted<T extends { readonly name: string }>(list: readonly T[]): T[] {
  // Not localeCompare: the order must not depend on the machine's language.
  return [...list].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Empty lists and maps are what an absent key means. */
function withoutEmpty(form: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(form).filter(
      ([, value]: [string, unknown]) => typeof value !== 'object' || value === null || Object.keys(value).length > 0,
    ),
  );
}
