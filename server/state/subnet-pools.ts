import type { Pool, Subnet } from '../domain/site.js';
import { AddressPool, withoutRanges } from './address-pool.js';

/** The addresses of one subnet for one kind of machine. */
export interface SubnetPool {
  readonly subnet: Subnet;
  readonly for: Pool['for'];
  readonly pool: AddressPool;
}

/** Pools for one kind first, so that their machines leave the common ones to others. */
export function poolsOf(subnet: Subnet): SubnetPool[] {
  return (['known', 'unknown', undefined] as const).flatMap((kind) => {
    const ranges = subnet.pools.filter((range) => range.for === kind);
    if (ranges.length === 0) return [];
    return [{ subnet, for: kind, pool: new AddressPool(withoutRanges(ranges, subnet.exclude ?? [])) }];
  });
}

/** Whether machines of this kind get addresses of the pool. */
export function serves({ for: kind }: SubnetPool, known: boolean): boolean {
  return kind === undefined || (kind === 'known') === known;
}

/** Unknown machines leave this part of a pool for all to registered ones, but not more than there are such. */
const KEPT_PART = 10;

/**
 * Whether one more address of the pool may be given to a machine of this kind. `unaddressed`: registered machines that have no
 * address of their own. Without this a flood of invented machines takes what those need at their next boot.
 */
export function isOpen({ for: kind, pool }: SubnetPool, known: boolean, unaddressed: number): boolean {
  if (known || kind !== undefined) return true;
  const kept = Math.min(Math.floor(pool.size / KEPT_PART), unaddressed);
  return kept === 0 || pool.size - pool.used > kept;
}
