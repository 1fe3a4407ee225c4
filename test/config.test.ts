import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadConfig, parseConfig, serverAddress } from '../server/config.js';
import { OVERRIDABLE, variableName } from '../server/config-overrides.js';
import { ARCH_WORDS } from '../server/domain/arch.js';
import { AnybiosError } from '../server/domain/errors.js';
import { formatIpv4, parseIpv4 } from '../server/domain/ipv4.js';
import { packageRoot } from '../server/paths.js';
import { settableOption } from '../server/wire/dhcp/option-words.js';

// More than 300 lines: tables of configurations and of refusals, a row each.

const FILE = '/etc/anybios/anybios.yaml';
const parse = (text: string, env: Record<string, string> = {}, flags: Record<string, string> = {}) =>
  parseConfig(text, { file: FILE, env, flags });

function remedyOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof AnybiosError) return error.remedy ?? '';
    throw error;
  }
  return '';
}

/** The lines of the refusal. */
function problems(text: string, env: Record<string, string> = {}, flags: Record<string, string> = {}): string[] {
  try {
    parse(text, env, flags);
  } catch (error) {
    if (error instanceof AnybiosError && error.code === 'invalid') return error.message.split('\n');
    throw error;
  }
  return [];
}

/** What may stand as the name of an option; its text is tried in test/wire/dhcp/option-words.test.ts. */
const OPTION_NAMES = remedyOf(() => settableOption('?'));

const MINIMAL = 'listen: { interfaces: [eth1] }\n';
const FULL = `dataDir: ./data
listen:
  interfaces: [br0]
  address: 10.77.0.1
  http: 8080
  tftp: 69
dhcp:
  mode: full
  subnets:
    - { cidr: 10.77.0.0/24, pool: 10.77.0.100-10.77.0.200, router: 10.77.0.1, dns: [10.77.0.1], leaseTime: 1h }
files: ./files
unknownMachines: localdisk
`;

describe('a configuration', () => {
  it('becomes the values the server works with', () => {
    const config = parse(FULL);
    expect(config).toEqual({
      file: FILE,
      dataDir: '/etc/anybios/data',
      listen: { interfaces: ['br0'], address: parseIpv4('10.77.0.1'), http: 8080, tftp: 69, images: 'sendfile' },
      dhcp: {
        mode: 'full',
        subnets: [
          {
            cidr: { network: parseIpv4('10.77.0.0'), prefix: 24 },
            mode: 'full',
            pools: [{ first: parseIpv4('10.77.0.100'), last: parseIpv4('10.77.0.200') }],
            router: parseIpv4('10.77.0.1'),
            dns: [parseIpv4('10.77.0.1')],
            leaseSeconds: 3600,
          },
        ],
      },
      downloads: { atOnce: 100, perSubnet: 50 },
      tftp: { ports: 'two', transport: 'auto', perAddress: 64 },
      jobs: { expiry: 3600, changesAtOnce: 32 },
      filesDir: '/etc/anybios/files',
      unknown: { kind: 'localdisk' },
    });
  });

  it('has defaults that disturb nothing', () => {
    expect(parse(MINIMAL)).toEqual({
      file: FILE,
      dataDir: '/etc/anybios/data',
      listen: { interfaces: ['eth1'], http: 8080, tftp: 69, images: 'sendfile' },
      dhcp: { mode: 'observe', subnets: [] },
      downloads: { atOnce: 100, perSubnet: 50 },
      tftp: { ports: 'two', transport: 'auto', perAddress: 64 },
      jobs: { expiry: 3600, changesAtOnce: 32 },
      unknown: { kind: 'localdisk' },
    });
  });

  it('is frozen all the way down', () => {
    const config = parse(FULL);
    expect(Object.isFrozen(config.dhcp.subnets[0]?.pools[0])).toBe(true);
  });

  it('takes pools as a list, and a mode per subnet', () => {
    const text = `${MINIMAL}dhcp:
  mode: proxy
  subnets:
    - { cidr: 10.0.0.0/24, mode: full, pool: [10.0.0.10-10.0.0.20, 10.0.0.30-10.0.0.40] }
    - { cidr: 10.0.1.0/24 }
`;
    const { subnets } = parse(text).dhcp;
    expect(subnets.map(({ mode, pools }) => [mode, pools.length])).toEqual([
      ['full', 2],
      ['proxy', 0],
    ]);
  });

  it.each([
    ['localdisk', { kind: 'localdisk' }],
    ['ignore', { kind: 'ignore' }],
    ['discover', { kind: 'discover' }],
    ['role:web', { kind: 'role', role: 'web' }],
  ])('unknownMachines: %s', (text, policy) => {
    expect(parse(`${MINIMAL}unknownMachines: ${text}\n`).unknown).toEqual(policy);
  });

  it('takes pools for known and unknown machines, exclusions, options, boot files and a probe', () => {
    const [net] = parse(
      DHCP(
        '{ cidr: 10.0.0.0/24, pool: 10.0.0.10-10.0.0.19, pools: [{ range: 10.0.0.20-10.0.0.29, for: known }, { range: 10.0.0.30-10.0.0.39 }], exclude: [10.0.0.15], options: { 224: x, mtu: 9000 }, ntp: [10.0.0.1], bootFiles: { x64-uefi: a.efi, default: b }, probe: 200ms }',
      ),
    ).dhcp.subnets;
    const range = (from: string, to: string) => ({ first: parseIpv4(from), last: parseIpv4(to) });
    expect(net).toMatchObject({
      pools: [
        range('10.0.0.10', '10.0.0.19'),
        { ...range('10.0.0.20', '10.0.0.29'), for: 'known' },
        range('10.0.0.30', '10.0.0.39'),
      ],
      exclude: [range('10.0.0.15', '10.0.0.15')],
      options: { ntp: ['10.0.0.1'], '224': 'x', mtu: 9000 },
      bootFiles: { 'x64-uefi': 'a.efi', default: 'b' },
      probeMs: 200,
    });
    expect(net?.pools[2]).not.toHaveProperty('for');
  });

  it.each([
    ['90s', 90],
    ['30m', 1800],
    ['2d', 172_800],
  ])('leaseTime %s', (text, seconds) => {
    const config = parse(`${MINIMAL}dhcp: { subnets: [{ cidr: 10.0.0.0/24, leaseTime: ${text} }] }\n`);
    expect(config.dhcp.subnets[0]?.leaseSeconds).toBe(seconds);
  });
});

const AT = (line: number): string => `${FILE}:${line}`;
const DHCP = (subnet: string): string => `${MINIMAL}dhcp:\n  mode: full\n  subnets:\n    - ${subnet}\n`;

describe('a wrong configuration names the line, the key and what is allowed', () => {
  it.each<[string, string, string[]]>([
    [
      'an unknown key, with the one that was meant',
      `${MINIMAL}datadir: ./x\n`,
      [
        `${AT(2)}: datadir: unknown key (did you mean "dataDir"?); allowed: dataDir, listen, dhcp, downloads, tftp, jobs, files, unknownMachines`,
      ],
    ],
    [
      'an unknown key deep inside',
      DHCP('{ cidr: 10.0.0.0/24, gateway: 10.0.0.1 }'),
      [
        `${AT(5)}: dhcp.subnets[0].gateway: unknown key; allowed: cidr, mode, pool, pools, exclude, router, dns, domain, ntp, routes, options, bootFiles, probe, leaseTime, leasesPerPort, loader, downloads, tftpBlockSize, ipv6Router`,
      ],
    ],
    [
      'an option that is none, with the one that was meant',
      DHCP('{ cidr: 10.0.0.0/24, options: { ntp-servres: 10.0.0.1 } }'),
      [
        `${AT(5)}: dhcp.subnets[0].options.ntp-servres: there is no DHCP option "ntp-servres" (did you mean "ntp-servers"?); allowed: ${OPTION_NAMES}`,
      ],
    ],
    [
      'an option that does not fit',
      DHCP('{ cidr: 10.0.0.0/24, options: { mtu: big } }'),
      [
        `${AT(5)}: dhcp.subnets[0].options.mtu: option 26 (interface-mtu) is not written like this; allowed: a number 0-65535`,
      ],
    ],
    [
      'an option twice',
      DHCP('{ cidr: 10.0.0.0/24, ntp: [10.0.0.1], options: { 42: 10.0.0.2 } }'),
      [`${AT(5)}: dhcp.subnets[0].options["42"]: is set by ntp already; allowed: ntp or options.42`],
    ],
    [
      'an architecture that is none',
      DHCP('{ cidr: 10.0.0.0/24, bootFiles: { x64-uefy: a.efi } }'),
      [
        `${AT(5)}: dhcp.subnets[0].bootFiles.x64-uefy: there is no architecture "x64-uefy" (did you mean "x64-uefi"?); allowed: a number of DHCP option 93, default, or one of: ${ARCH_WORDS.join(', ')}`,
      ],
    ],
    [
      'an exclusion of another network',
      DHCP('{ cidr: 10.0.0.0/24, exclude: [10.0.1.1] }'),
      [`${AT(5)}: dhcp.subnets[0].exclude[0]: 10.0.1.1-10.0.1.1 is not in 10.0.0.0/24; allowed: 10.0.0.1-10.0.0.254`],
    ],
    [
      'a probe that takes too long',
      DHCP('{ cidr: 10.0.0.0/24, probe: 5s }'),
      [`${AT(5)}: dhcp.subnets[0].probe: "5s" does not fit; allowed: milliseconds, 50ms to 2000ms, e.g. 500ms`],
    ],
    [
      'a word that is none of the list',
      `${MINIMAL}dhcp:\n  mode: fulll\n`,
      [`${AT(3)}: dhcp.mode: "fulll" does not fit (did you mean "full"?); allowed: full | proxy | observe | off`],
    ],
    [
      'a port that is too large',
      'listen:\n  interfaces: [eth1]\n  http: 80800\n',
      [`${AT(3)}: listen.http: 80800 does not fit; allowed: a whole number 0-65535 (0 = any free port)`],
    ],
    [
      'a value that is missing',
      DHCP('{ pool: 10.0.0.1-10.0.0.2 }'),
      [`${AT(5)}: dhcp.subnets[0].cidr: is missing; allowed: ADDRESS/PREFIX, e.g. 10.77.0.0/24`],
    ],
    [
      'host bits in a network',
      DHCP('cidr: 10.0.0.1/24'),
      [`${AT(5)}: dhcp.subnets[0].cidr: "10.0.0.1/24" has host bits set; allowed: write 10.0.0.0/24`],
    ],
    [
      'a lease time without a unit',
      DHCP('{ cidr: 10.0.0.0/24, leaseTime: 3600 }'),
      [
        `${AT(5)}: dhcp.subnets[0].leaseTime: 3600 does not fit; allowed: a number with s, m, h or d, e.g. 90s, 30m, 1h, 2d; from 10s to 365d`,
      ],
    ],
    [
      'a lease time that is no duration',
      DHCP('{ cidr: 10.0.0.0/24, leaseTime: 1w }'),
      [
        `${AT(5)}: dhcp.subnets[0].leaseTime: "1w" is not a duration that fits; allowed: a number with s, m, h or d, e.g. 90s, 30m, 1h, 2d; from 10s to 365d`,
      ],
    ],
    [
      'one bad range of several',
      `${MINIMAL}dhcp:\n  subnets:\n    - cidr: 10.0.0.0/24\n      pool:\n        - 10.0.0.10-10.0.0.20\n        - 10.0.0.40-10.0.0.30\n`,
      [
        `${AT(7)}: dhcp.subnets[0].pool[1]: the range 10.0.0.40-10.0.0.30 ends before it starts; allowed: write the lower address first`,
      ],
    ],
    [
      'a policy that is none',
      `${MINIMAL}unknownMachines: role:Web\n`,
      [`${AT(2)}: unknownMachines: "role:Web" does not fit; allowed: localdisk | ignore | discover | role:NAME`],
    ],
    ['an empty section', 'listen:\n', [`${AT(1)}: listen: is empty; allowed: keys with values`]],
    ['a file that is only text', 'hello\n', [`${AT(1)}: "hello" does not fit; allowed: keys with values`]],
    [
      'YAML that does not parse',
      `${MINIMAL}dhcp: { mode: full\n`,
      [expect.stringMatching(/^\/etc\/anybios\/anybios\.yaml:\d: /)],
    ],
    [
      'a key that is there twice',
      `files: a\nfiles: b\n`,
      [`${AT(2)}: the key "files" is there twice; allowed: each key once`],
    ],
    [
      'all problems at once',
      'dataDir: 5\nlisten:\n  http: x\n  interfaces: [way-too-long-a-name]\n',
      [
        `${AT(1)}: dataDir: 5 does not fit; allowed: text (numbers, true and false go in quotes)`,
        `${AT(4)}: listen.interfaces[0]: "way-too-long-a-name" does not fit; allowed: the name of a network interface, e.g. eth1`,
        `${AT(3)}: listen.http: "x" does not fit; allowed: a whole number 0-65535 (0 = any free port)`,
      ],
    ],
  ])('%s', (_name, text, expected) => {
    expect(problems(text)).toEqual(expected);
  });
});

describe('values that contradict each other', () => {
  it.each<[string, string, RegExp[]]>([
    [
      'a pool outside its network',
      '{ cidr: 10.0.0.0/24, pool: 10.0.1.1-10.0.1.9 }',
      [/\[0\]\.pool: .* is not inside 10\.0\.0\.0\/24/],
    ],
    [
      'the broadcast address in a pool',
      '{ cidr: 10.0.0.0/24, pool: 10.0.0.9-10.0.0.255 }',
      [/is not inside .*; allowed: a range inside 10\.0\.0\.1-10\.0\.0\.254/],
    ],
    ['a router outside', '{ cidr: 10.0.0.0/24, router: 10.0.1.1 }', [/\[0\]\.router: 10\.0\.1\.1 is not an address/]],
    [
      'the router in the pool',
      '{ cidr: 10.0.0.0/24, router: 10.0.0.5, pool: 10.0.0.1-10.0.0.9 }',
      [/holds 10\.0\.0\.5, which is the router/],
    ],
    [
      'overlapping pools',
      '{ cidr: 10.0.0.0/24, pool: [10.0.0.1-10.0.0.9, 10.0.0.9-10.0.0.12] }',
      [/10\.0\.0\.9-10\.0\.0\.12 overlaps 10\.0\.0\.1-10\.0\.0\.9/],
    ],
    [
      'overlapping networks',
      '{ cidr: 10.0.0.0/24 }\n    - { cidr: 10.0.0.128/25 }',
      [/:6: dhcp\.subnets\[1\]\.cidr: 10\.0\.0\.128\/25 overlaps/],
    ],
  ])('%s', (_name, subnet, expected) => {
    const found = problems(DHCP(subnet));
    expect(found).toHaveLength(expected.length);
    for (const [index, pattern] of expected.entries()) expect(found[index]).toMatch(pattern);
  });

  it("the server's own address in a pool", () => {
    const text = FULL.replace('10.77.0.100-', '10.77.0.1-').replace(', router: 10.77.0.1, dns: [10.77.0.1]', '');
    expect(problems(text)).toEqual([expect.stringContaining('holds 10.77.0.1, which is this server (listen.address)')]);
  });

  it('full without subnets, and DHCP without interfaces', () => {
    expect(problems('dhcp: { mode: full }\n')).toEqual([
      expect.stringContaining('listen.interfaces: is missing'),
      expect.stringContaining('dhcp.subnets: is missing'),
    ]);
  });

  it('a folder for everybody that holds the data of the server', () => {
    const base = 'dhcp: { mode: off }\nlisten: { address: 10.0.0.1 }\ndataDir: ./srv/data\n';
    for (const folder of ['.', './srv', './srv/data', '/'])
      expect(problems(`${base}files: ${folder}\n`)).toEqual([
        expect.stringContaining(
          ':4: files: holds dataDir: the admin token would be served to everybody; allowed: a folder',
        ),
      ]);
    for (const folder of ['./files', './srv/data/files', './srv/dat', './srv/data2', '../x'])
      expect(problems(`${base}files: ${folder}\n`)).toEqual([]);
  });

  it('the same by a link', () => {
    const dir = mkdtempSync(join(tmpdir(), 'anybios-config-'));
    mkdirSync(join(dir, 'data'));
    symlinkSync(dir, join(dir, 'public'));
    const text = `dhcp: { mode: off }\nlisten: { address: 10.0.0.1 }\ndataDir: ${dir}/data\nfiles: ${dir}/public\n`;
    expect(problems(text)).toEqual([expect.stringContaining('files: holds dataDir')]);
    rmSync(dir, { recursive: true });
  });

  it('no interfaces are needed when DHCP is off and the address is given', () => {
    expect(problems('dhcp: { mode: off }\n')).toEqual([expect.stringContaining('listen.address: is missing')]);
    expect(problems('dhcp: { mode: off }\nlisten: { address: 10.0.0.1 }\n')).toEqual([]);
  });
});

describe('overrides', () => {
  it('win over the file; flags win over variables', () => {
    const env = { ANYBIOS_LISTEN_HTTP: '8081', ANYBIOS_DATA_DIR: '/srv', ANYBIOS_LISTEN_INTERFACES: 'eth1, eth2' };
    const config = parse(FULL, env, { 'listen.http': '8082' });
    expect([config.listen.http, config.dataDir, config.listen.interfaces]).toEqual([8082, '/srv', ['eth1', 'eth2']]);
  });

  it('reach every key, subnets by number', () => {
    const values: Record<string, string> = {
      dataDir: '/srv/a',
      'listen.interfaces': 'eth9',
      'listen.address': '10.77.0.2',
      'listen.http': '1',
      'listen.tftp': '2',
      'listen.images': 'streams',
      'dhcp.mode': 'proxy',
      'dhcp.subnets.#.cidr': '10.77.0.0/16',
      'dhcp.subnets.#.mode': 'off',
      'dhcp.subnets.#.pool': '10.77.1.1-10.77.1.9,10.77.2.1-10.77.2.9',
      'dhcp.subnets.#.router': '10.77.0.3',
      'dhcp.subnets.#.dns': '10.77.0.4,10.77.0.5',
      'dhcp.subnets.#.exclude': '10.77.1.5,10.77.2.1-10.77.2.3',
      'dhcp.subnets.#.domain': 'example.org',
      'dhcp.subnets.#.ntp': '10.77.0.6',
      'dhcp.subnets.#.routes': '10.20.0.0/16 via 10.77.0.7',
      'dhcp.subnets.#.probe': '500ms',
      'dhcp.subnets.#.leaseTime': '2h',
      'dhcp.subnets.#.loader': 'shim',
      'dhcp.subnets.#.downloads': '7',
      'dhcp.subnets.#.leasesPerPort': '4',
      'dhcp.subnets.#.tftpBlockSize': '1368',
      'dhcp.subnets.#.ipv6Router': 'none',
      'downloads.atOnce': '20',
      'downloads.perSubnet': '5',
      'tftp.addresses': '10.77.0.1,fd00::1',
      'tftp.ports': 'one',
      'tftp.transport': 'dgram',
      'tftp.perAddress': '500',
      'jobs.expiry': '2h',
      'jobs.changesAtOnce': '9',
      files: '/srv/f',
      unknownMachines: 'discover',
    };
    expect(Object.keys(values)).toEqual(Object.keys(OVERRIDABLE));
    const env = Object.fromEntries(
      Object.entries(values).map(([key, value]) => [variableName(key.replace('#', '0')), value]),
    );
    expect(env.ANYBIOS_DHCP_SUBNETS_0_LEASE_TIME).toBe('2h');
    const ip = parseIpv4;
    expect(parse(FULL, env)).toEqual({
      file: FILE,
      dataDir: '/srv/a',
      listen: { interfaces: ['eth9'], address: ip('10.77.0.2'), http: 1, tftp: 2, images: 'streams' },
      dhcp: {
        mode: 'proxy',
        subnets: [
          {
            cidr: { network: ip('10.77.0.0'), prefix: 16 },
            mode: 'off',
            pools: [
              { first: ip('10.77.1.1'), last: ip('10.77.1.9') },
              { first: ip('10.77.2.1'), last: ip('10.77.2.9') },
            ],
            router: ip('10.77.0.3'),
            dns: [ip('10.77.0.4'), ip('10.77.0.5')],
            domain: 'example.org',
            exclude: [
              { first: ip('10.77.1.5'), last: ip('10.77.1.5') },
              { first: ip('10.77.2.1'), last: ip('10.77.2.3') },
            ],
            options: { ntp: ['10.77.0.6'], routes: ['10.20.0.0/16 via 10.77.0.7'] },
            probeMs: 500,
            leaseSeconds: 7200,
            loader: 'shim',
            downloads: 7,
            leasesPerPort: 4,
            tftpBlockSize: 1368,
            ipv6Router: 'none',
          },
        ],
      },
      downloads: { atOnce: 20, perSubnet: 5 },
      tftp: { addresses: ['10.77.0.1', 'fd00::1'], ports: 'one', transport: 'dgram', perAddress: 500 },
      jobs: { expiry: 7200, changesAtOnce: 9 },
      filesDir: '/srv/f',
      unknown: { kind: 'discover' },
    });
  });

  it.each<[string, Record<string, string>, string]>([
    [
      'a bad value names the variable',
      { ANYBIOS_LISTEN_HTTP: 'http' },
      'ANYBIOS_LISTEN_HTTP: listen.http: "http" does not fit; allowed: a whole number 0-65535 (0 = any free port)',
    ],
    [
      'a bad word of a list',
      { ANYBIOS_DHCP_SUBNETS_0_DNS: '10.0.0.1,x' },
      'ANYBIOS_DHCP_SUBNETS_0_DNS: dhcp.subnets[0].dns[1]: "x" is not an IPv4 address; allowed: write four numbers 0-255, e.g. 10.77.0.11',
    ],
    [
      'a variable that is no key',
      { ANYBIOS_LISTEN_HTPP: '1' },
      'ANYBIOS_LISTEN_HTPP: names no key of the configuration (did you mean "ANYBIOS_LISTEN_HTTP"?); allowed: a key that anybios.example.yaml shows',
    ],
    [
      'a subnet that is not there',
      { ANYBIOS_DHCP_SUBNETS_3_MODE: 'off' },
      'ANYBIOS_DHCP_SUBNETS_3_MODE: dhcp.subnets[3].mode: there is no such list entry in the file; allowed: an entry that the file has',
    ],
  ])('%s', (_name, env, expected) => {
    expect(problems(FULL, env)).toEqual([expected]);
  });

  it('a bad flag is named as it was written', () => {
    expect(problems(FULL, {}, { 'dhcp.mod': 'off' })).toEqual([
      'dhcp.mod: names no key of the configuration (did you mean "dhcp.mode"?); allowed: a key that anybios.example.yaml shows',
    ]);
    expect(problems(FULL, {}, { 'dhcp.mode': 'on' })[0]).toMatch(/^--set dhcp\.mode: dhcp\.mode: "on" does not fit/);
  });

  it('empty variables and those of others count as not set', () => {
    expect(parse(FULL, { ANYBIOS_FILES: '', ANYBIOS_TOKEN: 'x', ANYBIOS_URL: 'y' }).filesDir).toBe(
      '/etc/anybios/files',
    );
  });
});

describe('files', () => {
  it('the example in the repository loads', () => {
    const config = loadConfig({ file: `${packageRoot}/anybios.example.yaml` });
    expect(config.dataDir).toBe(`${packageRoot}/data`);
    expect(config.dhcp.subnets[0]?.domain).toBe('lab.example.org');
    // Whoever copies it has no such folder yet.
    expect(config.filesDir).toBeUndefined();
  });

  it('the example shows every key', () => {
    const text = readFileSync(`${packageRoot}/anybios.example.yaml`, 'utf8');
    const keys = new Set([
      ...Object.keys(OVERRIDABLE).map((key) => key.split('.').at(-1) ?? ''),
      ...['listen', 'dhcp', 'tftp', 'subnets', 'pools', 'options', 'bootFiles', 'downloads', 'jobs'],
    ]);
    // A key with a default is shown with it; one that does nothing unless it is set may be shown in a comment.
    const shown = [...text.matchAll(/^ *(# )?(?:- )?([A-Za-z0-9]+):/gm)].flatMap(([, comment, key = '']) =>
      comment === undefined || keys.has(key) ? [key] : [],
    );
    expect(new Set(shown)).toEqual(keys);
  });

  it('what the example calls a default is one', () => {
    const text = readFileSync(`${packageRoot}/anybios.example.yaml`, 'utf8');
    const { listen, unknown, dataDir, tftp } = parse(text);
    const defaults = parse(MINIMAL);
    expect([tftp, listen.http, listen.tftp, unknown, dataDir]).toEqual([
      defaults.tftp,
      defaults.listen.http,
      defaults.listen.tftp,
      defaults.unknown,
      defaults.dataDir,
    ]);
  });

  it('a file that is not there is a refusal with a remedy', () => {
    expect(() => loadConfig({ file: '/nonexistent/anybios.yaml' })).toThrow(/cannot read the configuration .*ENOENT/);
  });
});

it('whatever is in the file, the answer is a configuration or a refusal (property)', () => {
  const key = fc.constantFrom(...Object.keys(OVERRIDABLE).flatMap((path) => path.split('.')), '__proto__', 'x');
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      fc.constantFrom('eth1', '10.0.0.0/24', '10.0.0.5', '10.0.0.9-10.0.0.1', 'full', '1h', 'role:x', 'auto', ''),
      fc.integer(),
      fc.constantFrom(null, true, 1.5),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(key, tie('value'), { maxKeys: 4 }),
    ),
  }));
  fc.assert(
    fc.property(fc.dictionary(key, value, { maxKeys: 5 }), (root) => {
      for (const line of problems(JSON.stringify(root))) expect(line).toMatch(/^\/etc\/anybios\/anybios\.yaml:1: \S/);
    }),
    { numRuns: 500 },
  );
});

describe('the address in boot URLs', () => {
  const lo = {
    lo: [{ family: 'IPv4' as const, address: '127.0.0.1', netmask: '', mac: '', internal: true, cidr: null }],
  };
  it('is the first IPv4 of the first interface', () => {
    expect(formatIpv4(serverAddress(parse('listen: { interfaces: [lo] }\n'), lo))).toBe('127.0.0.1');
  });
  it('or the one that is configured', () => {
    expect(formatIpv4(serverAddress(parse(FULL), {}))).toBe('10.77.0.1');
  });
  it('or a refusal that lists the interfaces', () => {
    expect(() => serverAddress(parse(MINIMAL), lo)).toThrow(/"eth1" has no IPv4 address/);
  });
});
