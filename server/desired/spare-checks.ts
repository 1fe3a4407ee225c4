import { BOOT_MENU_PARAM } from '../domain/role.js';
import { LEASE_FEATURE, type Spares, spareOrder } from '../domain/standby.js';
import type { Path, Problem } from '../yaml/problem.js';
import { type Merged, missing } from './merged.js';
import type { SiteContext } from './site-file.js';

/** What is wrong with the spares of roles: a live OS that keeps no lease, machines that are none or have a role, disks that are not there. */
export function spareProblems({ roles, machines, systems }: Merged, { profiles }: SiteContext): Problem[] {
  const byName = new Map(machines.map((placed) => [placed.value.name, placed]));
  return [...roles.values()].flatMap(({ value: role, path }) => {
    const { spares } = role;
    if (spares === undefined) return [];
    const problems: Problem[] = [];
    const at = (field: string, ...rest: Path): Path | undefined => path && [...path, field, ...rest];
    const blame = (where: Path | undefined, message: string, allowed: string): void =>
      void (where && problems.push({ path: where, message, allowed }));
    const all = spareOrder(
      spares,
      Array.from(byName.values(), ({ value }) => value),
      [],
    );
    if (isEmpty(spares)) blame(at('spareLease'), 'there are no spares', 'spares, or no spareLease');
    const profile = profiles.get(role.profile);
    if (profile !== undefined && !profile.supports.features.includes(LEASE_FEATURE))
      blame(at('spares'), `the live OS of profile ${profile.name} keeps no lease`, 'no spares');
    if (role.mode === 'single')
      blame(at('spares'), 'in mode single nobody is left on the machine who could stop the system', 'mode: resident');
    if ((role.params[BOOT_MENU_PARAM] ?? profile?.params[BOOT_MENU_PARAM] ?? '') !== '')
      blame(at('spares'), 'the boot menu could give the machine to one system, which nobody could stop', 'no menu');
    const labels = new Set(role.systems.flatMap((name) => labelOf(systems.get(name)?.value)));
    for (const name of all) {
      const machine = byName.get(name);
      const index = spares.machines.indexOf(name);
      const listed = at('spares', ...(index < 0 ? [] : [index]));
      if (machine === undefined) {
        if (listed !== undefined) problems.push(missing(listed, 'machine', name, byName.keys()));
        continue;
      }
      // Blamed on the machine when the role does not stand in the file.
      const own = (field: string): Path | undefined => listed ?? (machine.path && [...machine.path, field]);
      if (machine.value.role !== undefined)
        blame(
          own('role'),
          `${name} is a spare of role ${role.name} and has role ${machine.value.role}`,
          'a spare has no role',
        );
      for (const label of labels)
        if (machine.value.disks?.[label] === undefined)
          blame(
            own('disks'),
            `spare ${name} of role ${role.name} declares no disk with label ${label}`,
            `disks: {${label}: /dev/…}`,
          );
    }
    return problems;
  });
}

const isEmpty = ({ machines, labels }: Spares): boolean => machines.length === 0 && Object.keys(labels).length === 0;

function labelOf(system: { readonly storage: unknown } | undefined): string[] {
  const storage = system?.storage;
  return typeof storage === 'object' && storage !== null && 'label' in storage ? [String(storage.label)] : [];
}
