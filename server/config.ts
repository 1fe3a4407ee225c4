import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { dirname, relative, resolve } from 'node:path';
import { type Overrides, readOverrides, setAt } from './config-overrides.js';
import { type ConfigFile, configSchema } from './config-schema.js';
import { subnetProblems } from './config-subnets.js';
import type { DownloadLimits } from './domain/download-limits.js';
import { invalid } from './domain/errors.js';
import { type Ipv4, parseIpv4 } from './domain/ipv4.js';
import type { DhcpMode, ImagePlane, Subnet, TftpConfig, UnknownPolicy } from './domain/site.js';
import { check, type Path, type Problem, pathText, refusal } from './yaml/problem.js';
import { YamlText } from './yaml/yaml-text.js';

/** Everything the operator decides about the server itself, validated and frozen. Defaults are in config-schema.ts. */
export interface Config {
  /** The file it was read from, absolute. */
  readonly file: string;
  /** Absolute. */
  readonly dataDir: string;
  readonly listen: {
    readonly interfaces: readonly string[];
    /** Goes into boot URLs; absent: the first IPv4 of the first interface (`serverAddress`). */
    readonly address?: Ipv4;
    /** 0 = any free port. */
    readonly http: number;
    readonly tftp: number;
    readonly images: ImagePlane;
  };
  readonly dhcp: { readonly mode: DhcpMode; readonly subnets: readonly Subnet[] };
  /** Large downloads of machines at once. */
  readonly downloads: DownloadLimits;
  readonly tftp: TftpConfig;
  readonly jobs: {
    /** How long a job waits for a machine that cannot be reached, in seconds. */
    readonly expiry: number;
    /** How many machines change at once while they run. */
    readonly changesAtOnce: number;
  };
  /** Folder of the site's own files, absolute; absent: there is none. */
  readonly filesDir?: string;
  readonly unknown: UnknownPolicy;
}

export interface ConfigSource {
  readonly file: string;
  /** `process.env`: every `ANYBIOS_` variable that names a key overrides the file. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Keys with dots (`listen.http`) and their values; they override both. */
  readonly flags?: Readonly<Record<string, string>>;
}

/**
 * Reads the configuration file. Throws `invalid` with one line per problem, all at once: the place (file and line, variable or
 * flag), the key, what is wrong and what is allowed.
 */
export function loadConfig({ file, env, flags }: ConfigSource): Config {
  const path = resolve(file);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw invalid(`cannot read the configuration ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      remedy: 'copy anybios.example.yaml, adapt it, and name it with --config',
      cause,
    });
  }
  return parseConfig(text, { file, ...(env && { env }), ...(flags && { flags }) });
}

/** The same from a text; `file` names it in messages and is what relative paths start from. */
export function parseConfig(text: string, { file, env = {}, flags = {} }: ConfigSource): Config {
  const yaml = new YamlText(text, file);
  const { overrides, problems } = readOverrides(env, flags);
  const place = (path: Path): string => sourceOf(path, overrides) ?? yaml.place(path);
  const raw = withOverrides(yaml.value ?? {}, overrides, problems);
  const result = check(configSchema, raw);
  if (result.problems !== undefined) throw refusal([...problems, ...result.problems], place);
  const config = assemble(result.value, resolve(file));
  problems.push(...subnetProblems(config), ...listenProblems(config), ...filesProblems(config));
  if (problems.length > 0) throw refusal(problems, place);
  return freeze(config);
}

/** The address that goes into boot URLs. Throws `invalid` when no interface has one. */
export function serverAddress({ listen }: Config, interfaces = networkInterfaces()): Ipv4 {
  if (listen.address !== undefined) return listen.address;
  const [name = ''] = listen.interfaces;
  const found = interfaces[name]?.find(({ family }) => family === 'IPv4');
  if (found !== undefined) return parseIpv4(found.address);
  throw invalid(`the interface "${name}" has no IPv4 address`, {
    field: 'listen.interfaces',
    remedy: `give it one (ip address add … dev ${name}), set listen.address, or choose of: ${Object.keys(interfaces).join(', ')}`,
  });
}

function assemble(data: ConfigFile, file: string): Config {
  const folder = dirname(file);
  const { mode } = data.dhcp;
  return {
    file,
    dataDir: resolve(folder, data.dataDir),
    listen: data.listen,
    dhcp: { mode, subnets: data.dhcp.subnets.map((subnet) => ({ ...subnet, mode: subnet.mode ?? mode })) },
    downloads: data.downloads,
    tftp: data.tftp,
    jobs: data.jobs,
    ...(data.files === undefined ? {} : { filesDir: resolve(folder, data.files) }),
    unknown: data.unknownMachines,
  };
}

/** Everybody may read what is below `files`; dataDir holds the admin token, the keys and the database. */
function filesProblems({ filesDir, dataDir }: Config): Problem[] {
  if (filesDir === undefined) return [];
  const way = relative(realPath(filesDir), realPath(dataDir));
  if (way === '..' || way.startsWith('../')) return [];
  return [
    {
      path: ['files'],
      message: 'holds dataDir: the admin token would be served to everybody',
      allowed: 'a folder of its own, e.g. ./files',
    },
  ];
}

/** Where it leads; as it is written when it is not there yet. */
function realPath(path: string): string {
  return existsSync(path) ? realpathSync(path) : path;
}

function listenProblems({ listen, dhcp }: Config): Problem[] {
  const answering = [dhcp.mode, ...dhcp.subnets.map(({ mode }) => mode)].some((mode) => mode !== 'off');
  const problems: Problem[] = [];
  if (listen.http === 0 && (listen.images === 'nginx' || listen.images === 'accel')) {
    problems.push({
      path: ['listen', 'http'],
      message: 'cannot be 0: nginx must be told its port',
      allowed: 'a port of 1 to 65535; or listen.images: sendfile',
    });
  }
  if (listen.interfaces.length === 0 && answering) {
    problems.push({
      path: ['listen', 'interfaces'],
      message: 'is missing: DHCP is answered on named interfaces only',
      allowed: 'a list of interface names, e.g. [eth1]; or dhcp.mode: off',
    });
  } else if (listen.interfaces.length === 0 && listen.address === undefined) {
    problems.push({
      path: ['listen', 'address'],
      message: 'is missing: without interfaces nothing tells which address goes into boot URLs',
      allowed: 'an IPv4 address of this server',
    });
  }
  if (dhcp.mode === 'full' && dhcp.subnets.length === 0) {
    problems.push({
      path: ['dhcp', 'subnets'],
      message: 'is missing: in mode full this server gives the addresses',
      allowed: 'a list with at least one subnet, e.g. - { cidr: 10.77.0.0/24, pool: 10.77.0.100-10.77.0.200 }',
    });
  }
  return problems;
}

function withOverrides(value: unknown, overrides: Overrides, problems: Problem[]): unknown {
  let raw = value;
  for (const { path, value: given } of overrides.values()) {
    const changed = setAt(raw, path, given);
    if (changed === undefined) {
      problems.push({
        path,
        message: 'there is no such list entry in the file',
        allowed: 'an entry that the file has',
      });
    } else raw = changed;
  }
  return raw;
}

/** The variable or flag that set this value or what contains it. */
function sourceOf(path: Path, overrides: Overrides): string | undefined {
  for (let length = path.length; length > 0; length -= 1) {
    const found = overrides.get(pathText(path.slice(0, length)));
    if (found !== undefined) return found.source;
  }
  return undefined;
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) freeze(inner);
  }
  return value;
}
