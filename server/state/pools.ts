import { broadcastOf, type Cidr, contains, type Ipv4 } from '../domain/ipv4.js';
import type { Subnet } from '../domain/site.js';
import { isOpen, poolsOf, type SubnetPool, serves } from './subnet-pools.js';

/** From this share on addresses are given to unknown machines for a short time first. */
const CROWDED = 0.75;

export interface PoolsOptions {
  /** Never given from a pool. */
  readonly excluded: Iterable<Ipv4>;
  readonly unaddressed?: (() => number) | undefined;
}

export interface PoolUsage {
  readonly cidr: Cidr;
  /** Addresses in the pools of the subnet. */
  readonly size: number;
  /** Those that are leased or in quarantine now; offers do not count, they can be offered again. */
  readonly used: number;
}

/** The pools of all subnets: which address belongs to which, and who may have it. They know of leases only how many there are. */
export class Pools {
  readonly #options: PoolsOptions;
  #subnets: readonly Subnet[] = [];
  #pools: readonly SubnetPool[] = [];
  #excluded: ReadonlySet<Ipv4> = new Set();

  constructor(options: PoolsOptions) {
    this.#options = options;
  }

  /** Other subnets from now on: nothing is counted as used, and each pool is looked through from its beginning. */
  configure(subnets: readonly Subnet[]): void {
    const excluded = new Set(this.#options.excluded);
    for (const { cidr, router } of subnets) {
      if (router !== undefined) excluded.add(router);
      if (cidr.prefix < 31) excluded.add(cidr.network).add(broadcastOf(cidr));
    }
    this.#subnets = subnets;
    this.#pools = subnets.flatMap(poolsOf);
    this.#excluded = excluded;
  }

  subnetOf(address: Ipv4): Subnet | undefined {
    return this.#subnets.find(({ cidr }) => contains(cidr, address));
  }

  isExcluded(address: Ipv4): boolean {
    return this.#excluded.has(address);
  }

  /** In a pool for machines of this kind, and not excluded. */
  holds(address: Ipv4, known: boolean): boolean {
    const found = this.#poolOf(address);
    return !this.#excluded.has(address) && found !== undefined && serves(found, known);
  }

  /** In a pool of which machines of this kind get no more addresses now. */
  isKept(address: Ipv4, known: boolean): boolean {
    const found = this.#poolOf(address);
    return found !== undefined && !isOpen(found, known, this.#unaddressed());
  }

  /** Most of what unknown machines can get is in use. */
  isCrowded(subnet: Subnet): boolean {
    let size = 0;
    let used = 0;
    for (const entry of this.#pools) {
      if (!sameCidr(entry.subnet, subnet) || !serves(entry, false)) continue;
      size += entry.pool.size;
      used += entry.pool.used;
    }
    return size > 0 && used >= size * CROWDED;
  }

  usage(): readonly PoolUsage[] {
    const rows: PoolUsage[] = [];
    for (const subnet of this.#subnets) {
      const its = this.#pools.filter((entry) => sameCidr(entry.subnet, subnet));
      const size = its.reduce((sum, { pool }) => sum + pool.size, 0);
      const used = its.reduce((sum, { pool }) => sum + pool.used, 0);
      if (size > 0) rows.push({ cidr: subnet.cidr, size, used });
    }
    return rows;
  }

  /** Where an address for such a machine may be looked for now. */
  openTo(subnet: Subnet, known: boolean): readonly SubnetPool[] {
    const unaddressed = this.#unaddressed();
    return this.#pools.filter(
      (entry) => sameCidr(entry.subnet, subnet) && serves(entry, known) && isOpen(entry, known, unaddressed),
    );
  }

  /** Counts the address as used, or not any more. */
  mark(address: Ipv4, isUsed: boolean): void {
    this.#poolOf(address)?.pool.mark(address, isUsed);
  }

  giveBack(address: Ipv4): void {
    this.#poolOf(address)?.pool.giveBack(address);
  }

  #unaddressed(): number {
    return this.#options.unaddressed?.() ?? 0;
  }

  #poolOf(address: Ipv4): SubnetPool | undefined {
    return this.#pools.find(({ subnet, pool }) => contains(subnet.cidr, address) && pool.includes(address));
  }
}

const sameCidr = (a: Subnet, b: Subnet): boolean =>
  a.cidr.network === b.cidr.network && a.cidr.prefix === b.cidr.prefix;
