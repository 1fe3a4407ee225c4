import { bootedAs } from '../decide/booted-as.js';
import type { WantedBoot } from '../decide/drift.js';
import type { BootSession } from '../domain/boot-session.js';
import { AnybiosError } from '../domain/errors.js';
import type { Ipv4 } from '../domain/ipv4.js';
import type { Mac } from '../domain/mac.js';
import type { Machine } from '../domain/machine.js';
import type { Planner } from './planner.js';
import { defineSystem, type RenderText } from './system-definitions.js';

/** Whose wanted boot. */
export interface Wanting {
  readonly machine: Machine;
  /** Of the card that it boots from. */
  readonly mac: Mac | undefined;
  /** The boot session that it runs in, if any. */
  readonly session: BootSession | undefined;
}

interface Known {
  readonly revision: number;
  readonly madeOf: readonly unknown[] | undefined;
  readonly session: string | undefined;
  readonly address: Ipv4 | undefined;
  readonly mac: Mac | undefined;
  readonly wanted: WantedBoot;
}

/** What machines shall be now, for every heartbeat and every look: made once per change of desired state or of the machine's boot. */
export class WantedBoots {
  readonly #planner: Planner;
  readonly #renderText: RenderText;
  readonly #known = new Map<string, Known>();

  constructor(planner: Planner, renderText: RenderText) {
    this.#planner = planner;
    this.#renderText = renderText;
  }

  of(wanting: Wanting): WantedBoot {
    const { machine, mac, session } = wanting;
    const { revision } = this.#planner;
    const known = this.#known.get(machine.name);
    const same = known?.session === session?.id && known?.address === session?.address && known?.mac === mac;
    if (same && known?.revision === revision) return known.wanted;
    const madeOf = this.#planner.madeOf(machine);
    // Something else of the site has changed: nothing is made anew for that.
    const wanted =
      same && known !== undefined && sameParts(known.madeOf, madeOf)
        ? known.wanted
        : wantedBoot(this.#planner, this.#renderText, wanting);
    this.#known.set(machine.name, { revision, madeOf, session: session?.id, address: session?.address, mac, wanted });
    return wanted;
  }

  /** The machine was removed. */
  forget(name: string): void {
    this.#known.delete(name);
  }
}

function sameParts(before: readonly unknown[] | undefined, now: readonly unknown[] | undefined): boolean {
  return (
    before !== undefined &&
    now !== undefined &&
    before.length === now.length &&
    before.every((part, index) => part === now[index])
  );
}

/** The plan of its next boot, or of the one that is being claimed (`now`), and its systems as this boot would run them. */
export function wantedBoot(
  planner: Planner,
  renderText: RenderText,
  { machine, mac = machine.macs[0], session }: Wanting,
  when: 'next' | 'now' = 'next',
): WantedBoot {
  if (mac === undefined)
    return { kind: 'none', reason: 'it has no MAC and was never seen', remedy: 'switch it on', ends: 'wait' };
  const assignment = planner.assignment(mac, machine);
  const boot = { session: session?.id, choice: session?.choice };
  const plan = planner.plan(mac, machine, { ...boot, address: session?.address }, assignment);
  if (plan.kind !== 'boot') {
    const fault = plan.kind === 'none' && assignment.kind !== 'none';
    const remedy = fault ? plan.remedy : `reboot it: anybios job reboot -m ${machine.name}`;
    return { kind: 'none', reason: plan.reason, remedy, ends: fault ? 'wait' : 'reboot' };
  }
  // Its next boot gets the reserved address; what runs now has the one of this boot.
  const moves =
    when === 'next' &&
    session?.address !== undefined &&
    machine.address !== undefined &&
    machine.address !== session.address;
  const next = moves ? planner.plan(mac, machine, { ...boot, address: machine.address }, assignment) : plan;
  const booted = bootedAs(assignment, next);
  if (booted === undefined)
    return { kind: 'none', reason: assignment.reason, remedy: 'give the machine a role', ends: 'wait' };
  const about = { machine, mac, address: session?.address, server: planner.identity, renderText };
  try {
    const systems = plan.systems.map((planned) => ({
      name: planned.system.name,
      digest: defineSystem(planned, plan.params, about).digest,
      restart: planned.system.restart,
    }));
    const single = booted.mode === 'single' ? systems[0]?.digest : undefined;
    return { kind: 'boot', next: single === undefined ? booted : { ...booted, single }, systems };
  } catch (error) {
    if (!(error instanceof AnybiosError)) throw error;
    return { kind: 'none', reason: error.message, remedy: error.remedy ?? 'correct its template', ends: 'wait' };
  }
}
