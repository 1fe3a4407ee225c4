/** A machine that loads something large, or wants to. */
export interface DownloadAsker {
  readonly key: string;
  /** What the limit of its subnet counts; machines outside of all subnets share one. */
  readonly subnet: string;
  /** At once in its subnet. */
  readonly limit: number;
}

export type DownloadTurn =
  | { readonly kind: 'go' }
  /** `place` counts from 1: what stands before it in the queue and can go first. `seconds`: when to ask again. */
  | { readonly kind: 'wait'; readonly place: number; readonly seconds: number };

/** The nearest ask often enough to leave no place empty for long; a thousand others need not. */
const SOONEST_SECONDS = 2;
const LATEST_SECONDS = 15;
const PLACES_PER_SECOND = 50;

/**
 * Whether it is this machine's turn. First come, first served, by machine: whatever a machine loads, over however many connections, is
 * one turn. Those who stand before it keep the places that are free for them, also when they ask later; those who wait only for their
 * own subnet hold up nobody of another.
 */
export function decideDownloadTurn(
  me: DownloadAsker,
  running: Iterable<DownloadAsker>,
  ahead: Iterable<DownloadAsker>,
  atOnce: number,
): DownloadTurn {
  let total = 0;
  const bySubnet = new Map<string, number>();
  const take = (subnet: string): void => {
    total += 1;
    bySubnet.set(subnet, (bySubnet.get(subnet) ?? 0) + 1);
  };
  const fits = ({ subnet, limit }: DownloadAsker): boolean => total < atOnce && (bySubnet.get(subnet) ?? 0) < limit;
  for (const one of running) {
    if (one.key === me.key) return { kind: 'go' };
    take(one.subnet);
  }
  let before = 0;
  let beforeHere = 0;
  for (const one of ahead) {
    before += 1;
    if (one.subnet === me.subnet) beforeHere += 1;
    if (fits(one)) take(one.subnet);
  }
  if (fits(me)) return { kind: 'go' };
  const place = 1 + (total < atOnce ? beforeHere : before);
  const seconds = Math.min(LATEST_SECONDS, SOONEST_SECONDS + Math.floor(place / PLACES_PER_SECOND));
  return { kind: 'wait', place, seconds };
}
