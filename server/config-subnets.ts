import type { Config } from './config.js';
import {
  type AddressRange,
  broadcastOf,
  type Cidr,
  contains,
  formatCidr,
  formatIpv4,
  type Ipv4,
} from './domain/ipv4.js';
import type { Subnet } from './domain/site.js';
import { type Path, type Problem, pathText } from './yaml/problem.js';

/** What each subnet says is right by itself; this finds what contradicts: ranges outside, overlaps, addresses given twice. */
export function subnetProblems({ dhcp, listen }: Pick<Config, 'dhcp' | 'listen'>): Problem[] {
  return dhcp.subnets.flatMap((subnet, index) => {
    const at: Path = ['dhcp', 'subnets', index];
    const earlier = dhcp.subnets.slice(0, index).find((other) => overlap(other.cidr, subnet.cidr));
    return [
      ...(earlier === undefined
        ? []
        : [
            {
              path: [...at, 'cidr'],
              message: `${formatCidr(subnet.cidr)} overlaps ${formatCidr(earlier.cidr)}`,
              allowed: 'networks that share no address',
            },
          ]),
      ...routerProblems(subnet, at),
      ...poolProblems(subnet, at, listen.address),
      ...excludeProblems(subnet, at),
    ];
  });
}

/**
 * What is right and does nothing now, a line each. No error, because a subnet may go from full to proxy and back with its pool in the
 * file.
 */
export function unusedPools({ dhcp }: Pick<Config, 'dhcp'>): readonly string[] {
  return dhcp.subnets.flatMap(({ cidr, mode, pools }, index) => {
    if (mode !== 'proxy' || pools.length === 0) return [];
    const key = pathText(['dhcp', 'subnets', index, 'pool']);
    return [`${key} is not used: ${formatCidr(cidr)} has mode proxy, where another DHCP server gives the addresses`];
  });
}

function overlap(a: Cidr, b: Cidr): boolean {
  return contains(a, b.network) || contains(b, a.network);
}

/** The addresses of a network that machines can have: in /31 and /32 all of them (RFC 3021). */
export function usable(cidr: Cidr): AddressRange {
  const last = broadcastOf(cidr);
  if (cidr.prefix >= 31) return { first: cidr.network, last };
  return { first: (cidr.network + 1) as Ipv4, last: (last - 1) as Ipv4 };
}

function routerProblems({ cidr, router }: Subnet, at: Path): Problem[] {
  if (router === undefined || within(usable(cidr), router)) return [];
  return [
    {
      path: [...at, 'router'],
      message: `${formatIpv4(router)} is not an address of a machine in ${formatCidr(cidr)}`,
      allowed: span(usable(cidr)),
    },
  ];
}

function excludeProblems({ cidr, exclude = [] }: Subnet, at: Path): Problem[] {
  return exclude.flatMap((range, index) =>
    contains(cidr, range.first) && contains(cidr, range.last)
      ? []
      : [
          {
            path: [...at, 'exclude', index],
            message: `${span(range)} is not in ${formatCidr(cidr)}`,
            allowed: span(usable(cidr)),
          },
        ],
  );
}

function poolProblems(
  { cidr, pools, exclude = [], router, dns }: Subnet,
  at: Path,
  server: Ipv4 | undefined,
): Problem[] {
  const problems: Problem[] = [];
  const path = [...at, 'pool'];
  const taken = [
    { what: 'the router', address: router },
    { what: 'this server (listen.address)', address: server },
    ...dns.map((address) => ({ what: 'a DNS server', address })),
  ];
  pools.forEach((pool, index) => {
    const range = usable(cidr);
    if (!within(range, pool.first) || !within(range, pool.last)) {
      const message = `${span(pool)} is not inside ${formatCidr(cidr)} without its network and broadcast address`;
      problems.push({ path, message, allowed: `a range inside ${span(range)}` });
    }
    for (const other of pools.slice(0, index)) {
      if (pool.first <= other.last && other.first <= pool.last) {
        const message = `${span(pool)} overlaps ${span(other)}`;
        problems.push({ path, message, allowed: 'ranges that share no address' });
      }
    }
    for (const { what, address } of taken) {
      if (address !== undefined && within(pool, address) && !exclude.some((range) => within(range, address))) {
        const message = `${span(pool)} holds ${formatIpv4(address)}, which is ${what}`;
        problems.push({ path, message, allowed: 'a range (or a list of ranges) without that address' });
      }
    }
  });
  return problems;
}

function within({ first, last }: AddressRange, address: Ipv4): boolean {
  return first <= address && address <= last;
}

function span({ first, last }: AddressRange): string {
  return `${formatIpv4(first)}-${formatIpv4(last)}`;
}
