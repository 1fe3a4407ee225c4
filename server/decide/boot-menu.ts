import type { BootChoice } from '../domain/boot-session.js';
import { invalid } from '../domain/errors.js';
import type { Profile } from '../domain/profile.js';
import { BOOT_MENU_PARAM as PARAMETER, type Role } from '../domain/role.js';
import type { System } from '../domain/system.js';

export interface MenuEntry {
  /** A word that boot loaders take for a label. */
  readonly label: string;
  readonly text: string;
  readonly choice: BootChoice;
}

export interface BootMenu {
  readonly seconds: number;
  /** Label of the entry that the role itself means. */
  readonly default: string;
  readonly entries: readonly MenuEntry[];
}

/**
 * What may be chosen at the machine: all systems of its role at once, or one of them alone. Undefined when neither profile nor role
 * asks for a menu. Throws `invalid` for a time-out that is none.
 */
export function bootMenu(
  role: Role,
  profile: Profile,
  system: (name: string) => System | undefined,
): BootMenu | undefined {
  const text = role.params[PARAMETER] ?? profile.params[PARAMETER] ?? '';
  if (text === '') return undefined;
  if (!/^[1-9]\d{0,3}$/.test(text)) {
    throw invalid(`the parameter ${PARAMETER} of role ${role.name} is "${text}"`, {
      field: 'params',
      remedy: 'seconds until the default starts, 1 to 9999, or nothing for no menu',
    });
  }
  const { modes } = profile.supports;
  const alone = modes.includes('single') ? role.systems.filter((name) => canBeAlone(system(name))) : [];
  const entries: MenuEntry[] = [
    ...(modes.includes('resident')
      ? [{ label: 'resident', text: allText(role), choice: { mode: 'resident' } as const }]
      : []),
    ...alone.map((name) => ({
      label: `single-${name}`,
      text: `${name} alone`,
      choice: { mode: 'single', system: name } as const,
    })),
  ];
  const [only] = role.systems;
  return { seconds: Number(text), default: role.mode === 'single' ? `single-${only ?? ''}` : 'resident', entries };
}

/** The role as it was chosen; a choice that its menu does not have changes nothing. */
export function chosenRole(
  role: Role,
  profile: Profile,
  choice: BootChoice | undefined,
  system: (name: string) => System | undefined,
): Role {
  if (choice === undefined) return role;
  const entries = bootMenu(role, profile, system)?.entries ?? [];
  const fits = entries.some(({ choice: one }) => one.mode === choice.mode && one.system === choice.system);
  if (!fits) return role;
  return { ...role, mode: choice.mode, systems: choice.system === undefined ? role.systems : [choice.system] };
}

/** `resident` or `single:NAME`, as `anybios.choice=` and the claim say it; undefined = something else. */
export function parseChoice(text: string | undefined): BootChoice | undefined {
  if (text === 'resident') return { mode: 'resident' };
  const system = /^single:([a-z0-9][a-z0-9-]{0,62})$/.exec(text ?? '')?.[1];
  return system === undefined ? undefined : { mode: 'single', system };
}

export function choiceWord({ mode, system }: BootChoice): string {
  return system === undefined ? mode : `${mode}:${system}`;
}

function allText({ systems }: Role): string {
  return systems.length === 0 ? 'the live OS' : `all systems: ${systems.join(' ')}`;
}

/** The same as `apply` asks of a role in mode single: its root becomes the machine's, and nobody keeps its network or disks. */
function canBeAlone(system: System | undefined): boolean {
  if (system === undefined || system.kind === 'vm' || system.storage !== 'ram') return false;
  return system.network === undefined || system.network === 'host';
}
