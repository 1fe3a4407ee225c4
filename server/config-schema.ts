import { isIP } from 'node:net';
import { z } from 'zod';
import type { DhcpOptionWords } from './domain/dhcp-options.js';
import { DOWNLOAD_LIMITS } from './domain/download-limits.js';
import { AnybiosError, invalid } from './domain/errors.js';
import { type AddressRange, formatIpv4, type Ipv4, parseCidr, parseIpv4, parseRange } from './domain/ipv4.js';
import { LOADERS } from './domain/role.js';
import { DHCP_MODES, IMAGE_PLANES, type Pool, TFTP_PORTS, TFTP_TRANSPORTS, type UnknownPolicy } from './domain/site.js';
import { optionCode } from './wire/dhcp/option-table.js';
import { parseRoute } from './wire/dhcp/option-words.js';
import { bootFilesSchema, optionsSchema } from './yaml/dhcp-schema.js';
import { parsed, strict, whole, word } from './yaml/schema.js';

// The shape of anybios.yaml, its defaults, and how each value is read. anybios.example.yaml says the same for people.

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };
const LEASE_MIN = 10;
// 0xffffffff means "for ever" (RFC 2131, section 3.3): a year is the longest that still ends.
const LEASE_MAX = 365 * 86_400;

const DURATION = 'a number with s, m, h or d, e.g. 90s, 30m, 1h, 2d; from 10s to 365d';

/** Reads `90s`, `30m`, `1h`, `2d` into seconds. Throws `invalid`. */
export function parseDuration(text: string): number {
  const match = /^(\d{1,9})([smhd])$/.exec(text);
  const seconds = match === null ? Number.NaN : Number(match[1]) * (UNITS[match[2] ?? ''] ?? Number.NaN);
  if (seconds >= LEASE_MIN && seconds <= LEASE_MAX) return seconds;
  throw invalid(`"${text}" is not a duration that fits`, { remedy: DURATION });
}

const UNKNOWN = 'localdisk | ignore | discover | role:NAME';

function parseUnknown(text: string): UnknownPolicy {
  const role = /^role:([a-z0-9][a-z0-9-]{0,62})$/.exec(text)?.[1];
  if (role !== undefined) return { kind: 'role', role };
  if (text === 'localdisk' || text === 'ignore' || text === 'discover') return { kind: text };
  throw invalid(`"${text}" does not fit`, { remedy: UNKNOWN });
}

/** One range as text, or several as a list. */
const pools = z
  .union([z.string(), z.array(z.string())], {
    error: 'a range, e.g. 10.77.0.100-10.77.0.200, or a list of ranges',
  })
  .transform((value, context): AddressRange[] => {
    const texts = typeof value === 'string' ? [value] : value;
    return texts.flatMap((text, index) => {
      try {
        return [parseRange(text)];
      } catch (error) {
        if (!(error instanceof AnybiosError)) throw error;
        const path = typeof value === 'string' ? [] : [index];
        context.addIssue({ code: 'custom', path, message: error.message, params: { allowed: error.remedy } });
        return [];
      }
    });
  });

/** Pools for one kind of machine only, beside `pool`. */
const pool = strict({
  range: parsed((text) => parseRange(text), 'a range, e.g. 10.77.0.100-10.77.0.200'),
  for: z.enum(['known', 'unknown', 'any']).default('any'),
}).transform(({ range, for: kind }): Pool => (kind === 'any' ? range : { ...range, for: kind }));

/** One address, or a range. */
const exclusion = parsed(
  (text) => (text.includes('-') ? parseRange(text) : single(parseIpv4(text))),
  'an address or a range, e.g. 10.77.0.150 or 10.77.0.150-10.77.0.159',
);
const single = (only: Ipv4): AddressRange => ({ first: only, last: only });

const PROBE = 'milliseconds, 50ms to 2000ms, e.g. 500ms';
/** A client waits for its first offer: PXE ROMs 4 s, iPXE 1 s for the first try. */
const probe = parsed((text) => {
  const milliseconds = Number(/^(\d{1,5})ms$/.exec(text)?.[1] ?? Number.NaN);
  if (milliseconds >= 50 && milliseconds <= 2000) return milliseconds;
  throw invalid(`"${text}" does not fit`, { remedy: PROBE });
}, PROBE);

const routeText = parsed((text) => {
  parseRoute(text);
  return text;
}, 'NETWORK/PREFIX via ROUTER, e.g. 10.20.0.0/16 via 10.77.0.254');

const address = parsed((text) => parseIpv4(text), 'an IPv4 address, e.g. 10.77.0.1');
/** At least one: with none, machines would wait for ever. */
const downloadsAtOnce = whole(1, 100_000);
const port = whole(0, 65_535, ' (0 = any free port)');
const folder = word(/^[^\0]+$/, 'the path of a folder');
// Linux: at most 15 bytes (IFNAMSIZ), no slash, no space.
const interfaceName = word(/^[^\s/]{1,15}$/, 'the name of a network interface, e.g. eth1');
const domainName = word(
  /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i,
  'a DNS domain, e.g. lab.example.org',
);

const subnet = strict({
  cidr: parsed((text) => parseCidr(text), 'ADDRESS/PREFIX, e.g. 10.77.0.0/24'),
  mode: z.enum(DHCP_MODES).exactOptional(),
  pool: pools.default([]),
  pools: z.array(pool).default([]),
  exclude: z.array(exclusion).exactOptional(),
  router: address.exactOptional(),
  dns: z.array(address).default([]),
  domain: domainName.exactOptional(),
  ntp: z.array(address).min(1).exactOptional(),
  routes: z.array(routeText).min(1).exactOptional(),
  options: optionsSchema.exactOptional(),
  bootFiles: bootFilesSchema.exactOptional(),
  probe: probe.exactOptional(),
  leaseTime: parsed(parseDuration, DURATION).default(3600),
  leasesPerPort: whole(1, 65_535).exactOptional(),
  loader: z.enum(LOADERS).exactOptional(),
  downloads: downloadsAtOnce.exactOptional(),
  tftpBlockSize: whole(
    512,
    65_464,
    ' bytes: what the path carries less 32, e.g. 1368 through a tunnel',
  ).exactOptional(),
  ipv6Router: z.enum(['none']).exactOptional(),
})
  .superRefine(({ ntp, routes, options = {} }, context) => {
    const twice = (key: 'ntp' | 'routes', code: number, given: unknown): void => {
      const other = Object.keys(options).find((name) => optionCode(name) === code);
      if (given === undefined || other === undefined) return;
      context.addIssue({
        code: 'custom',
        path: ['options', other],
        message: `is set by ${key} already`,
        params: { allowed: `${key} or options.${other}` },
      });
    };
    twice('ntp', 42, ntp);
    twice('routes', 121, routes);
  })
  .transform(({ pool, pools, leaseTime, probe, ntp, routes, options, ...rest }) => {
    const all: DhcpOptionWords = {
      ...(ntp === undefined ? {} : { ntp: ntp.map(formatIpv4) }),
      ...(routes === undefined ? {} : { routes }),
      ...options,
    };
    return {
      ...rest,
      pools: [...pool, ...pools] satisfies Pool[] as readonly Pool[],
      leaseSeconds: leaseTime,
      ...(probe === undefined ? {} : { probeMs: probe }),
      ...(Object.keys(all).length === 0 ? {} : { options: all }),
    };
  });

const listen = strict({
  interfaces: z.array(interfaceName).default([]),
  address: address.exactOptional(),
  http: port.default(8080),
  tftp: port.default(69),
  images: z.enum(IMAGE_PLANES).default('sendfile'),
});

// `observe` unless told otherwise: a server that is only started never disturbs a network.
const dhcp = strict({ mode: z.enum(DHCP_MODES).default('observe'), subnets: z.array(subnet).default([]) });

/** IPv4 or IPv6; `fe80::1%eth0` with its interface. */
const anyAddress = z.string().refine((text) => isIP(text) !== 0, {
  error: 'an IPv4 or IPv6 address, e.g. 10.77.0.1, fd00::1, 0.0.0.0 or :: (all)',
});

const tftp = strict({
  addresses: z.array(anyAddress).min(1).exactOptional(),
  ports: z.enum(TFTP_PORTS).default('two'),
  transport: z.enum(TFTP_TRANSPORTS).default('auto'),
  perAddress: whole(1, 4096).default(64),
});

const downloads = strict({
  atOnce: downloadsAtOnce.default(DOWNLOAD_LIMITS.atOnce),
  perSubnet: downloadsAtOnce.default(DOWNLOAD_LIMITS.perSubnet),
});

/** How long a job waits for a machine that cannot be reached; how many machines change at once while they run. */
const jobs = strict({
  expiry: parsed(parseDuration, DURATION).default(3600),
  changesAtOnce: whole(1, 100_000).default(32),
});

export const configSchema = strict({
  dataDir: folder.default('./data'),
  listen: listen.prefault({}),
  dhcp: dhcp.prefault({}),
  downloads: downloads.prefault({}),
  tftp: tftp.prefault({}),
  jobs: jobs.prefault({}),
  files: folder.exactOptional(),
  unknownMachines: parsed(parseUnknown, UNKNOWN).default({ kind: 'localdisk' }),
});

export type ConfigFile = z.output<typeof configSchema>;
