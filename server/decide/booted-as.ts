import type { BootedAs } from '../domain/boot-session.js';
import type { Assignment } from './assignment.js';
import type { BootPlan } from './boot-plan.js';
import { changedPart } from './system-digest-parts.js';

/** Arguments that are of one boot alone, or that are told otherwise: the list of systems changes while the machine runs. */
const OWN_WORDS = ['chroot', 'anybios.session', 'anybios.nonce', 'anybios.choice', 'anybios.mode', 'anybios.rootfs'];
const LEFT_OUT = new Set([...OWN_WORDS, 'anybios.sha256']);

/** What of a plan only a reboot changes; undefined when nothing is booted by it. */
export function bootedAs(assignment: Assignment, plan: BootPlan): BootedAs | undefined {
  if (assignment.kind !== 'role' || plan.kind !== 'boot' || plan.mode === 'discover') return undefined;
  return {
    role: assignment.role.name,
    profile: assignment.profile.name,
    mode: plan.mode,
    kernel: plan.kernelVersion,
    ...(plan.rootfsVersion === undefined ? {} : { rootfs: plan.rootfsVersion }),
    args: plan.args.split(' ').filter((arg) => !LEFT_OUT.has(keyOf(arg))),
  };
}

const keyOf = (arg: string): string => arg.split('=', 1)[0] ?? arg;

/** One line for each thing that a reboot would change: `kernel`, what it was booted with, what it would be given now. */
export function rebootDifferences(
  booted: BootedAs,
  next: BootedAs,
): readonly {
  readonly what: 'profile' | 'mode' | 'kernel' | 'live-os' | 'arguments' | 'definition';
  readonly reason: string;
}[] {
  const pair = (before: string | undefined, after: string | undefined): string =>
    `it was booted with ${before ?? 'none'}, it would get ${after ?? 'none'} now`;
  // Another profile has other images and arguments: that is one difference, not four.
  if (booted.profile !== next.profile)
    return [{ what: 'profile', reason: pair(`profile ${booted.profile}`, `profile ${next.profile}`) }];
  if (booted.mode !== next.mode) return [{ what: 'mode', reason: pair(`mode ${booted.mode}`, `mode ${next.mode}`) }];
  return [
    ...(booted.kernel === next.kernel ? [] : [{ what: 'kernel' as const, reason: pair(booted.kernel, next.kernel) }]),
    ...(booted.rootfs === next.rootfs ? [] : [{ what: 'live-os' as const, reason: pair(booted.rootfs, next.rootfs) }]),
    ...argumentChanges(booted.args, next.args),
    ...singleChange(booted.single, next.single),
  ];
}

function singleChange(before: string | undefined, after: string | undefined) {
  if (before === undefined || after === undefined || changedPart(before, after) !== 'definition') return [];
  return [{ what: 'definition' as const, reason: 'the machine is its one system, of an older definition' }];
}

function argumentChanges(before: readonly string[], after: readonly string[]) {
  const gone = before.filter((arg) => !after.includes(arg));
  const added = after.filter((arg) => !before.includes(arg));
  if (gone.length + added.length === 0) return [];
  const text = (args: readonly string[]): string | undefined => (args.length === 0 ? undefined : args.join(' '));
  return [
    {
      what: 'arguments' as const,
      reason: `it was booted with ${text(gone) ?? 'nothing else'}, it would get ${text(added) ?? 'nothing instead'} now`,
    },
  ];
}
