/** Machines that stand by for a role, in the order in which they are taken: those named, then those with all the labels, by name. */
export interface Spares {
  readonly machines: readonly string[];
  /** Empty: nobody is chosen by labels. */
  readonly labels: Readonly<Record<string, string>>;
  /** A machine runs the role's systems for so long after its last answered heartbeat, and no longer. */
  readonly leaseSeconds: number;
}

export const DEFAULT_LEASE_SECONDS = 120;
/** Under this a heartbeat that is late once would stop systems. */
export const SHORTEST_LEASE_SECONDS = 20;
/** Of a profile's `supports.features`: its live OS keeps a role lease. */
export const LEASE_FEATURE = 'spares';

/** Who runs what the role of a machine starts, when that is not simply the machine. Durable. */
export interface Holding {
  /** The machine whose role it is in the site file. */
  readonly place: string;
  /** The machine that has it now: nobody else is given its lease. */
  readonly holder: string;
  /** Epoch ms. */
  readonly since: number;
  readonly why: string;
  /** The holder gets no lease any more; `to` becomes the holder when the one that it has is surely over. */
  readonly handing?: { readonly to: string; readonly by: string; readonly at: number };
}

/** What must be known after a restart of how long a machine may still run systems. Durable before it is granted. */
export interface RoleLease {
  readonly machine: string;
  /** It stops by itself; false = nobody knows, its live OS keeps no lease or was never told of one. */
  readonly bounded: boolean;
  /** The longest lease that may be out. */
  readonly seconds: number;
  /** It was switched off, by a job or by the word of a person, and was not heard since. */
  readonly off: boolean;
}

/** One write: all or nothing. */
export interface StandbyChange {
  readonly holdings?: readonly Holding[];
  readonly leases?: readonly RoleLease[];
  /** Places whose holding, machines whose lease is forgotten. */
  readonly forgetHoldings?: readonly string[];
  readonly forgetLeases?: readonly string[];
}

/** What a heartbeat says of the lease: `off` = its systems run without one; `none` = it has none and runs none; `held`. */
export type LeaseWord = 'off' | 'none' | 'held';
export const isLeaseWord = (word: string | undefined): word is LeaseWord =>
  word === 'off' || word === 'none' || word === 'held';

/** What is looked at of a machine that may be a spare. */
interface Possible {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Of its own: then it is none. */
  readonly role?: string;
}

/**
 * Spares of a role in the order in which they are taken: those that the role names, as it names them; then those chosen by labels, by
 * name; then machines whose own place in this role somebody else holds, by name.
 */
export function spareOrder(
  spares: Spares,
  machines: Iterable<Possible>,
  displaced: readonly string[],
): readonly string[] {
  const wanted = Object.entries(spares.labels);
  const byLabel: string[] = [];
  for (const { name, labels, role } of machines)
    if (role === undefined && wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value))
      byLabel.push(name);
  return [...new Set([...spares.machines, ...byLabel.sort(), ...[...displaced].sort()])];
}

/** Whether this machine, which has no role of its own, stands by for a role with these spares. */
export function isSpareOf(spares: Spares | undefined, machine: Possible): boolean {
  if (spares === undefined || machine.role !== undefined) return false;
  return spareOrder(spares, [machine], []).includes(machine.name);
}
