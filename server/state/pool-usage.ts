import { type Cidr, contains } from '../domain/ipv4.js';
import type { Lease } from '../domain/lease.js';
import type { Subnet } from '../domain/site.js';
import { withoutRanges } from './address-pool.js';

export interface PoolUsage {
  readonly cidr: Cidr;
  /** Addresses in the pools of the subnet. */
  readonly size: number;
  /** Those that are leased or in quarantine now; offers do not count, they can be offered again. */
  readonly used: number;
}

/** How full the pools are, one row for each subnet with a pool. Reads every lease once. `now`: epoch seconds. */
export function poolUsage(subnets: readonly Subnet[], leases: Iterable<Lease>, now: number): readonly PoolUsage[] {
  const rows = subnets.flatMap(({ cidr, pools, exclude }) => {
    const ranges = withoutRanges(pools, exclude ?? []);
    const size = ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
    return size === 0 ? [] : [{ cidr, ranges, size, used: 0 }];
  });
  for (const { address, state, expiresAt } of leases) {
    if (state === 'released' || expiresAt <= now) continue;
    const row = rows.find(({ cidr }) => contains(cidr, address));
    if (row?.ranges.some(({ first, last }) => address >= first && address <= last) === true) row.used++;
  }
  return rows.map(({ cidr, size, used }) => ({ cidr, size, used }));
}
