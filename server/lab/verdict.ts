/** What the lab needs to know of a machine; part of `GET /api/v1/machines`. */
export interface MachineProgress {
  readonly name: string;
  readonly boot?:
    | {
        readonly stage: string;
        readonly outcome: string;
        readonly diagnosis?: { readonly name: string; readonly message: string; readonly remedy: string } | undefined;
      }
    | undefined;
  readonly systems: readonly { readonly name: string; readonly state: string }[];
}

export type Verdict =
  | { readonly kind: 'booting'; readonly waitingFor: readonly string[] }
  | { readonly kind: 'up' }
  | { readonly kind: 'failed'; readonly machine: string; readonly reason: string; readonly remedy?: string };

/**
 * Whether the lab's machines are what they must be: each boot succeeded and each system runs. One failed boot decides, though
 * the machine may try again; a stalled one does not (it may only be slow: the time limit decides).
 */
export function verdictOf(
  names: readonly string[],
  machines: readonly MachineProgress[],
  endedOf: (name: string) => string | undefined,
): Verdict {
  const byName = new Map(machines.map((machine) => [machine.name, machine]));
  for (const name of names) {
    const machine = byName.get(name);
    const boot = machine?.boot;
    if (boot?.outcome === 'failed') return { kind: 'failed', machine: name, ...reasonOf(machine) };
    const ended = endedOf(name);
    if (ended !== undefined) {
      return {
        kind: 'failed',
        machine: name,
        reason: `qemu-ended: QEMU ended with ${ended} at stage ${boot?.stage ?? 'none'}`,
      };
    }
  }
  const waitingFor = names.filter((name) => !isUp(byName.get(name)));
  return waitingFor.length === 0 ? { kind: 'up' } : { kind: 'booting', waitingFor };
}

/** Why a machine is not up: the named diagnosis of its boot, or where it stands. */
export function reasonOf(machine: MachineProgress | undefined): { readonly reason: string; readonly remedy?: string } {
  const boot = machine?.boot;
  if (boot?.diagnosis !== undefined) {
    return { reason: `${boot.diagnosis.name}: ${boot.diagnosis.message}`, remedy: boot.diagnosis.remedy };
  }
  if (machine === undefined || boot === undefined) {
    return { reason: 'no-boot: the server has heard nothing of this machine' };
  }
  if (boot.outcome === 'succeeded') {
    const states = machine.systems.map(({ name, state }) => `${name} ${state}`).join(', ');
    return { reason: `systems-changed: it was up, and now: ${states}` };
  }
  return {
    reason: `not-up: still at stage ${boot.stage}, with nothing known to be wrong`,
    remedy: 'a slow computer needs more time: --time-limit SECONDS; else its console tells more',
  };
}

/** A resident system runs, a single one was handed the machine. */
export function isUp(machine: MachineProgress | undefined): boolean {
  return (
    machine?.boot?.outcome === 'succeeded' &&
    machine.systems.every((system) => system.state === 'running' || system.state === 'handed-over')
  );
}
