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
