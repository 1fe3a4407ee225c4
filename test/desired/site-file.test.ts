import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { machineSchema, roleSchema, systemSchema } from '../../server/desired/schemas.js';
import { checkSite, parseMachine, parseSite, parseSystem, type SiteContext } from '../../server/desired/site-file.js';
import { parseCidr, parseIpv4 } from '../../server/domain/ipv4.js';
import type { Subnet } from '../../server/domain/site.js';
import { context, refusalOf, SITE } from './site-fixture.js';

// More than 300 lines: tables of site files and of refusals, a row each.

const lines = (text: string, over: Partial<SiteContext> = {}): string[] =>
  refusalOf(() => parseSite(text, context(over)));

const system = (fields: string): string =>
  `systems:\n  - { name: s, kind: chroot, image: base, command: [/bin/sh], ${fields} }\n`;
const machine = (fields: string): string => `machines:\n  - { name: m, macs: ["52:54:00:00:00:01"], ${fields} }\n`;
const NAME_RULE = 'lower-case letters, digits and -, starting with a letter or digit, at most 63';

describe('a site file', () => {
  it('becomes values of the domain', () => {
    expect(parseSite(SITE, context())).toEqual({
      systems: [
        {
          name: 'web',
          kind: 'chroot',
          image: 'base',
          command: ['/bin/httpd', '-f', '-p', '80'],
          env: { SITE: 'main' },
          files: { '/etc/motd': '{{machine.name}}' },
          memoryBytes: 128 * 1024 * 1024,
          cpus: 1,
          storage: 'ram',
          restart: 'always',
        },
      ],
      roles: [{ name: 'web', profile: 'micro', mode: 'resident', systems: ['web'], params: {} }],
      machines: [
        {
          name: 'node1',
          macs: ['52:54:00:00:00:01'],
          address: parseIpv4('10.77.0.11'),
          role: 'web',
          labels: { rack: 'r1' },
        },
      ],
    });
  });

  it('may be empty, and a list that is not there is not there', () => {
    expect(parseSite('', context())).toEqual({});
    expect(parseSite('machines: []\n', context())).toEqual({ machines: [] });
  });

  it('may leave out what has a default', () => {
    const text =
      'systems:\n  - { name: s, kind: chroot, image: base, command: [/bin/sh] }\nroles:\n  - { name: r, profile: micro }\n';
    expect(parseSite(text, context())).toEqual({
      systems: [
        {
          name: 's',
          kind: 'chroot',
          image: 'base',
          command: ['/bin/sh'],
          env: {},
          files: {},
          storage: 'ram',
          restart: 'always',
        },
      ],
      roles: [{ name: 'r', profile: 'micro', mode: 'resident', systems: [], params: {} }],
    });
  });

  it('takes MACs in any form, but keeps one', () => {
    const { machines } = parseSite('machines:\n  - { name: m, macs: [52-54-00-AB-CD-EF] }\n', context());
    expect(machines?.[0]?.macs).toEqual(['52:54:00:ab:cd:ef']);
  });

  it('refers to what the current state has', () => {
    const current = parseSite(SITE, context());
    const state = { machines: [], roles: current.roles ?? [], systems: current.systems ?? [] };
    expect(lines(machine('role: web'), { current: state })).toEqual([]);
    expect(lines('roles:\n  - { name: db, profile: micro, systems: [web] }\n', { current: state })).toEqual([]);
  });
});

describe('a value that does not fit is refused with its line, its key and what is allowed', () => {
  it.each<[string, string, string]>([
    [
      'a MAC',
      'machines:\n  - name: m\n    macs:\n      - 52:54:00:00:00:0x\n',
      'site.yaml:4: machines[0].macs[0]: "52:54:00:00:00:0x" is not a MAC address; allowed: write six pairs of hex digits, e.g. 52:54:00:00:00:01',
    ],
    [
      'a MAC that YAML reads as a number',
      'machines:\n  - { name: m, macs: [525400000001] }\n',
      'site.yaml:2: machines[0].macs[0]: 525400000001 does not fit; allowed: a MAC in quotes, e.g. "52:54:00:00:00:01"',
    ],
    [
      'a multicast MAC',
      'machines:\n  - { name: m, macs: ["01:00:5e:00:00:01"] }\n',
      'site.yaml:2: machines[0].macs[0]: 01:00:5e:00:00:01 is not the address of one network card; allowed: a MAC whose second digit is even',
    ],
    [
      'no MAC',
      'machines:\n  - { name: m, macs: [] }\n',
      'site.yaml:2: machines[0].macs: is missing: nothing tells this machine from others; allowed: at least one MAC, a uuid, a clientId or a relay',
    ],
    [
      'a port that is empty',
      'machines:\n  - { name: m, relay: {} }\n',
      'site.yaml:2: machines[0].relay: is empty; allowed: circuitId, remoteId, or both',
    ],
    [
      'a client id that could be two things',
      'machines:\n  - { name: m, clientId: "01:02" }\n',
      'site.yaml:2: machines[0].clientId: "01:02" could be text or bytes; allowed: hex:01:02',
    ],
    [
      'a port of two machines, in two spellings',
      'machines:\n  - { name: a, relay: {circuitId: p1} }\n  - { name: b, relay: {circuitId: "hex:7031"} }\n',
      'site.yaml:3: machines[1].relay: this port belongs to machine a already; allowed: one machine for each',
    ],
    [
      'an option of the server itself',
      machine('options: {server-id: 10.77.0.9}'),
      'site.yaml:2: machines[0].options.server-id: option 54 (server-id) is the address of this server; allowed: any other option',
    ],
    [
      'an address',
      machine('address: 10.77.0.256'),
      'site.yaml:2: machines[0].address: "10.77.0.256" is not an IPv4 address; allowed: write four numbers 0-255, e.g. 10.77.0.11',
    ],
    [
      'an address no machine can have',
      machine('address: 224.0.0.1'),
      'site.yaml:2: machines[0].address: 224.0.0.1 cannot be the address of a machine; allowed: a unicast IPv4 address, e.g. 10.77.0.11',
    ],
    [
      'a UUID',
      machine('uuid: 1234'),
      'site.yaml:2: machines[0].uuid: 1234 does not fit; allowed: text (numbers, true and false go in quotes)',
    ],
    [
      'a loader',
      machine('loader: snpony'),
      'site.yaml:2: machines[0].loader: "snpony" does not fit (did you mean "snponly"?); allowed: auto | snponly | ipxe | shim',
    ],
    [
      'a name',
      'machines:\n  - { name: Node_1, macs: ["52:54:00:00:00:01"] }\n',
      `site.yaml:2: machines[0].name: "Node_1" does not fit; allowed: ${NAME_RULE}`,
    ],
    [
      'a name that is missing',
      'machines:\n  - macs: ["52:54:00:00:00:01"]\n',
      'site.yaml:2: machines[0].name: is missing; allowed: text (numbers, true and false go in quotes)',
    ],
    [
      'a label with a newline',
      machine('labels: {a: "x\\ny"}'),
      'site.yaml:2: machines[0].labels.a: holds a control character; allowed: one line of text, at most 255 letters, no newline',
    ],
    [
      'the key of a label',
      machine('labels: {"a b": x}'),
      'site.yaml:2: machines[0].labels["a b"]: this key does not fit; allowed: letters, digits, ., _, / and -, at most 63',
    ],
    [
      'a key that is unknown',
      machine('adress: 10.0.0.1'),
      'site.yaml:2: machines[0].adress: unknown key (did you mean "address"?); allowed: name, macs, uuid, serial, clientId, relay, address, role, labels, loader, options, bootFiles, disks',
    ],
    [
      'a list that is unknown',
      'machine: []\n',
      'site.yaml:1: machine: unknown key (did you mean "machines"?); allowed: systems, roles, machines',
    ],
    ['a list that is empty', 'machines:\n', 'site.yaml:1: machines: is empty; allowed: a list'],
    [
      'an environment value with a newline',
      system('env: {A: "x\\ny"}'),
      'site.yaml:2: systems[0].env.A: holds a control character; allowed: one line of text, at most 4096 letters, no newline',
    ],
    [
      'an environment value that is a number',
      system('env: {A: 80}'),
      'site.yaml:2: systems[0].env.A: 80 does not fit; allowed: text (numbers, true and false go in quotes)',
    ],
    [
      'the name of a variable',
      system('env: {A-B: x}'),
      'site.yaml:2: systems[0].env.A-B: this key does not fit; allowed: letters, digits and _, not starting with a digit',
    ],
    [
      'an argument with a newline',
      'systems:\n  - { name: s, kind: chroot, image: base, command: ["a\\nb"] }\n',
      'site.yaml:2: systems[0].command[0]: holds a control character; allowed: one line of text, at most 4096 letters, no newline',
    ],
    [
      'a file outside',
      system('files: {/etc/../../x: a}'),
      'site.yaml:2: systems[0].files["/etc/../../x"]: "/etc/../../x" is not a path inside the system; allowed: an absolute path without .., . or empty parts, e.g. /etc/motd',
    ],
    [
      'a relative file',
      system('files: {etc/motd: a}'),
      'site.yaml:2: systems[0].files["etc/motd"]: "etc/motd" is not a path inside the system; allowed: an absolute path without .., . or empty parts, e.g. /etc/motd',
    ],
    [
      'a file that is a folder',
      system('files: {/a: x, /a/b: y}'),
      'site.yaml:2: systems[0].files["/a"]: is a file and the folder of /a/b at once',
    ],
    [
      'memory without a size',
      system('memory: 128X'),
      'site.yaml:2: systems[0].memory: "128X" is not a size of memory that fits; allowed: a number with K, M or G (powers of 1024), e.g. 128M, 1G; at least 1M',
    ],
    [
      'too many processors',
      system('cpus: -1'),
      'site.yaml:2: systems[0].cpus: -1 does not fit; allowed: a number of processors, e.g. 1 or 0.5',
    ],
    [
      'a storage',
      system('storage: disk'),
      'site.yaml:2: systems[0].storage: "disk" does not fit; allowed: ram | {ram: SIZE} | {label: LABEL, path: PATH, size: SIZE}',
    ],
    [
      'YAML that does not parse',
      'machines: [\n',
      'site.yaml:2: column 1, at the end of a line: Flow sequence in block collection must be sufficiently indented and end with a ]; allowed: YAML, e.g. key: [a, b]',
    ],
  ])('%s', (_name, text, expected) => {
    expect(lines(text)).toEqual([expected]);
  });

  it('all of them at once', () => {
    const text = 'machines:\n  - { name: A, macs: [x] }\nroles:\n  - { name: B, profile: micro, mode: dual }\n';
    expect(lines(text).map((line) => line.split(' ')[0])).toEqual([
      'site.yaml:4:',
      'site.yaml:4:',
      'site.yaml:2:',
      'site.yaml:2:',
    ]);
  });
});

describe('what contradicts itself or the current state is refused', () => {
  const current = (() => {
    const { machines = [], roles = [], systems = [] } = parseSite(SITE, context());
    return { machines, roles, systems };
  })();

  it.each<[string, string, string]>([
    [
      'a name twice',
      'roles:\n  - { name: a, profile: micro }\n  - { name: a, profile: micro }\n',
      'site.yaml:3: roles[1].name: "a" is there twice; allowed: each name once',
    ],
    [
      'a MAC of another machine',
      'machines:\n  - { name: m, macs: ["52:54:00:00:00:01"] }\n',
      'site.yaml:2: machines[0].macs[0]: 52:54:00:00:00:01 belongs to machine node1 already; allowed: one machine for each',
    ],
    [
      'an address of another machine',
      'machines:\n  - { name: m, macs: ["52:54:00:00:00:02"], address: 10.77.0.11 }\n',
      'site.yaml:2: machines[0].address: 10.77.0.11 belongs to machine node1 already; allowed: one machine for each',
    ],
    [
      'a MAC twice on one machine',
      'machines:\n  - { name: m, macs: [52:54:00:00:00:02, 52-54-00-00-00-02] }\n',
      'site.yaml:2: machines[0].macs[1]: 52:54:00:00:00:02 is there twice; allowed: one machine for each',
    ],
    [
      'a role that is not there',
      'machines:\n  - { name: m, macs: ["52:54:00:00:00:02"], role: wbe }\n',
      'site.yaml:2: machines[0].role: there is no role "wbe" (did you mean "web"?); allowed: web',
    ],
    [
      'a system that is not there',
      'roles:\n  - { name: a, profile: micro, systems: [db] }\n',
      'site.yaml:2: roles[0].systems[0]: there is no system "db"; allowed: web',
    ],
    [
      'a profile that is not there',
      'roles:\n  - { name: a, profile: mikro }\n',
      'site.yaml:2: roles[0].profile: there is no profile "mikro" (did you mean "micro"?); allowed: live | localdisk | micro | plain',
    ],
    [
      'an image that is not there',
      'systems:\n  - { name: s, kind: chroot, image: bse, command: [a] }\n',
      'site.yaml:2: systems[0].image: there is no image "bse"; allowed: an image that "anybios image list" shows; import it first',
    ],
    [
      'a kernel as root file system',
      'systems:\n  - { name: s, kind: chroot, image: kernel, command: [a] }\n',
      'site.yaml:2: systems[0].image: "kernel" is a kernel image; allowed: an image of kind rootfs',
    ],
    [
      'systems of localdisk',
      'roles:\n  - { name: a, profile: localdisk, systems: [web] }\n',
      'site.yaml:2: roles[0].systems: profile localdisk starts no systems; allowed: no systems',
    ],
    [
      'single with localdisk',
      'roles:\n  - { name: a, profile: localdisk, mode: single }\n',
      'site.yaml:2: roles[0].mode: profile localdisk starts no systems, so it has no mode single; allowed: no mode',
    ],
    [
      'single with no system',
      'roles:\n  - { name: a, profile: micro, mode: single }\n',
      'site.yaml:2: roles[0].systems: mode single gives the machine to one system, here are 0; allowed: exactly one system, or mode: resident',
    ],
    [
      'a mode the profile does not have',
      'systems:\n  - { name: s, kind: chroot, image: base, command: [a] }\nroles:\n  - name: a\n    profile: plain\n    mode: single\n    systems: [web]\n',
      'site.yaml:6: roles[0].mode: profile plain has no mode single; allowed: resident',
    ],
    [
      'a parameter the profile does not have',
      'roles:\n  - { name: a, profile: micro, params: {consol: x} }\n',
      'site.yaml:2: roles[0].params.consol: profile micro has no such parameter (did you mean "console"?); allowed: console',
    ],
    [
      'a system twice in a role',
      'roles:\n  - { name: a, profile: micro, systems: [web, web] }\n',
      'site.yaml:2: roles[0].systems[1]: system web is there twice; allowed: each system once',
    ],
    [
      'a kind the profile of a role in the state cannot run',
      'systems:\n  - name: web\n    kind: vm\n    image: base\n    command: [a]\n',
      'site.yaml:3: systems[0].kind: system web in role web: profile micro cannot run kind vm; allowed: chroot',
    ],
    [
      'a limit in single mode',
      'roles:\n  - name: web\n    profile: micro\n    mode: single\n    systems: [web]\n',
      'site.yaml:5: roles[0].systems[0]: system web in role web: in mode single it gets the whole machine, memory cannot be limited; allowed: no memory',
    ],
  ])('%s', (_name, text, expected) => {
    expect(lines(text, { current })).toContain(expected);
  });

  it('a limit the profile cannot keep, at the system when the file holds it', () => {
    const text =
      'systems:\n  - { name: s, kind: chroot, image: base, command: [a], cpus: 2 }\nroles:\n  - { name: a, profile: plain, systems: [s] }\n';
    expect(lines(text, { current })).toEqual([
      'site.yaml:2: systems[0].storage: system s in role a: profile plain has no storage ram; allowed: none',
      'site.yaml:2: systems[0].cpus: system s in role a: profile plain cannot limit cpus; allowed: no cpus',
    ]);
  });

  it('what the state holds already is not blamed on a file that does not touch it', () => {
    const broken = {
      ...current,
      roles: [{ name: 'old', profile: 'gone', mode: 'single' as const, systems: ['no'], params: {} }],
    };
    expect(
      lines('machines:\n  - { name: m, macs: ["52:54:00:00:00:02"], role: old }\n', {
        current: { ...broken, machines: [] },
      }),
    ).toEqual([]);
  });

  it('two machines may swap their MACs, and a pruned one frees its own', () => {
    const second = { ...current.machines[0], name: 'node2', macs: ['52:54:00:00:00:02'], labels: {} };
    const text =
      'machines:\n  - { name: node1, macs: ["52:54:00:00:00:02"] }\n  - { name: node2, macs: ["52:54:00:00:00:01"] }\n';
    expect(second.name).toBe('node2');
    expect(lines(text, { current })).toEqual([]);
    expect(lines('machines:\n  - { name: m, macs: ["52:54:00:00:00:01"] }\n', { current, prune: true })).toEqual([]);
  });

  it('with prune, references to what will be gone', () => {
    expect(
      lines('systems: []\nroles:\n  - { name: web, profile: micro, systems: [web] }\n', { current, prune: true }),
    ).toEqual(['site.yaml:3: roles[0].systems[0]: there is no system "web"; allowed: none is defined yet']);
  });

  it('a template that does not compile', () => {
    const templateFault = (text: string) => (text.includes('{{#') ? 'if is not closed' : undefined);
    expect(lines(system('files: {/a: "{{#if}}"}'), { templateFault })).toEqual([
      'site.yaml:2: systems[0].files["/a"]: its template is wrong: if is not closed',
    ]);
  });

  const subnet = (cidr: string, mode: Subnet['mode']): Subnet => ({
    cidr: parseCidr(cidr),
    mode,
    pools: [],
    router: parseIpv4('10.77.0.1'),
    dns: [],
    leaseSeconds: 3600,
  });
  it.each<[string, string]>([
    [
      '10.78.0.5',
      'site.yaml:2: machines[0].address: 10.78.0.5 is in no subnet that this server gives addresses in; allowed: 10.77.0.0/24',
    ],
    [
      '10.79.0.5',
      'site.yaml:2: machines[0].address: 10.79.0.5 is in no subnet that this server gives addresses in; allowed: 10.77.0.0/24',
    ],
    [
      '10.77.0.255',
      'site.yaml:2: machines[0].address: 10.77.0.255 is the network or broadcast address of 10.77.0.0/24; allowed: another address of 10.77.0.0/24',
    ],
    [
      '10.77.0.1',
      'site.yaml:2: machines[0].address: 10.77.0.1 is the router of 10.77.0.0/24; allowed: another address of 10.77.0.0/24',
    ],
  ])('the address %s, given the subnets', (address, expected) => {
    const subnets = [subnet('10.77.0.0/24', 'full'), subnet('10.79.0.0/24', 'proxy')];
    expect(lines(machine(`address: ${address}`), { subnets })).toEqual([expected]);
  });
});

describe('one resource as the REST API sends it', () => {
  it('is checked the same way, with keys from the resource down', () => {
    expect(refusalOf(() => parseMachine({ name: 'm', macs: ['x'] }, context()))).toEqual([
      'macs[0]: "x" is not a MAC address; allowed: write six pairs of hex digits, e.g. 52:54:00:00:00:01',
    ]);
    expect(refusalOf(() => parseMachine('m', context()))).toEqual(['"m" does not fit; allowed: keys with values']);
    expect(refusalOf(() => parseSystem({ name: 's', kind: 'chroot', image: 'no', command: ['a'] }, context()))).toEqual(
      ['image: there is no image "no"; allowed: an image that "anybios image list" shows; import it first'],
    );
  });

  it('takes memory as bytes too', () => {
    const body = { name: 's', kind: 'chroot', image: 'base', command: ['a'], memory: 134_217_728 };
    expect(parseSystem(body, context()).memoryBytes).toBe(134_217_728);
  });
});

it('whatever is in the file, the answer is a site or a refusal (property)', () => {
  const shapes = [machineSchema, roleSchema, systemSchema].flatMap(({ shape }) => Object.keys(shape));
  const key = fc.constantFrom(...shapes, '__proto__', '/etc/x', 'A');
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      fc.constantFrom('web', 'micro', 'base', 'chroot', '52:54:00:00:00:01', '10.0.0.5', 'single', '128M', ''),
      fc.double(),
      fc.constantFrom(null, true),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(key, tie('value'), { maxKeys: 6 }),
    ),
  }));
  const list = fc.oneof(value, fc.array(fc.dictionary(key, value), { maxLength: 3 }));
  fc.assert(
    fc.property(list, list, list, (machines, roles, systems) => {
      for (const line of refusalOf(() => checkSite({ machines, roles, systems }, context()))) {
        expect(line).toMatch(/^(machines|roles|systems)\S*: \S/);
      }
    }),
    { numRuns: 500 },
  );
});
