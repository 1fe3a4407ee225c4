import { type Path, type Problem, pathText } from './yaml/problem.js';
import { suggest } from './yaml/suggest.js';

/** A value that does not come from the file. */
export interface Override {
  readonly path: Path;
  readonly value: unknown;
  /** `ANYBIOS_LISTEN_HTTP` or `--set listen.http`: what messages name. */
  readonly source: string;
}

/** By the text of the path. */
export type Overrides = ReadonlyMap<string, Override>;

type Kind = 'text' | 'number' | 'list';

/** Every key that can be overridden; `#` is the number of a subnet in the file, from 0. Lists are written with commas. */
export const OVERRIDABLE: Readonly<Record<string, Kind>> = {
  dataDir: 'text',
  'listen.interfaces': 'list',
  'listen.address': 'text',
  'listen.http': 'number',
  'listen.tftp': 'number',
  'listen.images': 'text',
  'dhcp.mode': 'text',
  'dhcp.subnets.#.cidr': 'text',
  'dhcp.subnets.#.mode': 'text',
  'dhcp.subnets.#.pool': 'list',
  'dhcp.subnets.#.router': 'text',
  'dhcp.subnets.#.dns': 'list',
  'dhcp.subnets.#.exclude': 'list',
  'dhcp.subnets.#.domain': 'text',
  'dhcp.subnets.#.ntp': 'list',
  'dhcp.subnets.#.routes': 'list',
  'dhcp.subnets.#.probe': 'text',
  'dhcp.subnets.#.leaseTime': 'text',
  'dhcp.subnets.#.loader': 'text',
  'dhcp.subnets.#.downloads': 'number',
  'dhcp.subnets.#.leasesPerPort': 'number',
  'dhcp.subnets.#.tftpBlockSize': 'number',
  'dhcp.subnets.#.ipv6Router': 'text',
  'downloads.atOnce': 'number',
  'downloads.perSubnet': 'number',
  'tftp.addresses': 'list',
  'tftp.ports': 'text',
  'tftp.transport': 'text',
  'tftp.perAddress': 'number',
  'jobs.expiry': 'text',
  'jobs.changesAtOnce': 'number',
  files: 'text',
  unknownMachines: 'text',
};

/**
 * `listen.http` is overridden by `ANYBIOS_LISTEN_HTTP`, `dhcp.subnets.0.leaseTime` by `ANYBIOS_DHCP_SUBNETS_0_LEASE_TIME`: levels and
 * words joined by `_`, in capitals. An empty variable counts as not set.
 */
export function variableName(key: string): string {
  return `ANYBIOS_${key
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .replaceAll('.', '_')
    .toUpperCase()}`;
}

/** What environment and flags set. Flags win. Variables that look like a key but are none are problems; others are not ours. */
export function readOverrides(
  env: Readonly<Record<string, string | undefined>>,
  flags: Readonly<Record<string, string>>,
): { readonly overrides: Overrides; readonly problems: Problem[] } {
  const overrides = new Map<string, Override>();
  const problems: Problem[] = [];
  const keys = Object.keys(OVERRIDABLE);
  const set = (key: string, index: string | undefined, text: string, source: string): void => {
    const path = key.split('.').map((step) => (step === '#' ? Number(index) : step));
    overrides.set(pathText(path), { path, value: convert(text, OVERRIDABLE[key] ?? 'text'), source });
  };
  for (const [name, text] of Object.entries(env)) {
    if (text === undefined || text === '' || !OURS.test(name)) continue;
    const key = keys.find((candidate) => variableName(indexed(name, candidate)) === name);
    if (key !== undefined) set(key, /_SUBNETS_(\d+)_/.exec(name)?.[1], text, name);
    else problems.push(unknownName(name, keys.map(variableName)));
  }
  for (const [name, text] of Object.entries(flags)) {
    const key = keys.find((candidate) => indexed(name, candidate) === name);
    if (key !== undefined) set(key, /\.(\d+)\./.exec(name)?.[1], text, `--set ${name}`);
    else problems.push(unknownName(name, keys));
  }
  return { overrides, problems };
}

/** Names that can only be meant for the server: the first word is one of its keys. ANYBIOS_URL and ANYBIOS_TOKEN are the CLI's. */
const OURS = /^ANYBIOS_(DATA|LISTEN|DHCP|DOWNLOADS|TFTP|JOBS|FILES|UNKNOWN)/;

/** The key with the number that stands in the name. */
function indexed(name: string, key: string): string {
  return key.replace('#', /(?<=[._])\d+(?=[._])/.exec(name)?.[0] ?? '#');
}

function unknownName(name: string, known: readonly string[]): Problem {
  const allowed = 'a key that anybios.example.yaml shows';
  return { path: [], place: name, message: `names no key of the configuration${suggest(name, known)}`, allowed };
}

function convert(text: string, kind: Kind): unknown {
  switch (kind) {
    case 'text':
      return text;
    case 'number':
      // Anything else stays text, and the schema says what is allowed.
      return /^\d{1,9}$/.test(text) ? Number(text) : text;
    case 'list':
      return text.split(',').map((part) => part.trim());
  }
}

/** A copy of `root` with `value` at `path`; missing objects are made. `undefined` when the path leads through a missing list entry. */
export function setAt(root: unknown, path: Path, value: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  if (typeof step === 'number') {
    if (!Array.isArray(root) || step >= root.length) return undefined;
    const inner = setAt(root[step], rest, value);
    return inner === undefined ? undefined : root.with(step, inner);
  }
  // What is no object is left as it is: the schema names that problem.
  if (root !== undefined && (typeof root !== 'object' || root === null || Array.isArray(root))) return root;
  const old: Readonly<Record<string, unknown>> = { ...root };
  const inner = setAt(old[step], rest, value);
  return inner === undefined ? undefined : { ...old, [step]: inner };
}
