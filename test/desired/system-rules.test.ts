import { describe, expect, it } from 'vitest';
import { parseSite } from '../../server/desired/site-file.js';
import { parseIpv4 } from '../../server/domain/ipv4.js';
import { context, refusalOf } from './site-fixture.js';

/** One system `s` with these fields, in role `r` of profile `live`, on one machine. */
const site = (fields: string, role = 'profile: live', more = ''): string =>
  `systems:\n  - { name: s, ${fields} }\n${more}roles:\n  - { name: r, systems: [s], ${role} }\nmachines:\n  - { name: m, macs: ["52:54:00:00:00:01"], role: r, address: 10.77.0.11 }\n`;
const CONTAINER = 'kind: container, image: base, command: [a]';
const VM = 'kind: vm, image: base, command: [a], memory: 64M';
const lines = (text: string): string[] => refusalOf(() => parseSite(text, context()));

describe('a system with every field becomes a value of the domain', () => {
  it('network, storage, health and order', () => {
    const text = site(
      `${CONTAINER}, layer: base, storage: {label: data, path: web/1, size: 1G}, network: {nat: boot, ports: ["8080:80", "53:53/udp"]}, after: [t], health: {http: {port: 80}, interval: 2s}`,
      'profile: live, systems: [t, s]',
      '  - { name: t, kind: vm, memory: 64M, disk: disk, network: {bridge: boot, mac: 02-00-00-00-00-07, address: 10.77.0.50} }\n',
    ).replace('systems: [s], ', '');
    const { systems } = parseSite(text, context());
    expect(systems).toEqual([
      {
        name: 's',
        kind: 'container',
        image: 'base',
        layer: 'base',
        command: ['a'],
        env: {},
        files: {},
        storage: { label: 'data', path: 'web/1', sizeBytes: 2 ** 30 },
        network: {
          nat: 'boot',
          ports: [
            { protocol: 'tcp', from: 8080, to: 80 },
            { protocol: 'udp', from: 53, to: 53 },
          ],
        },
        restart: 'always',
        after: ['t'],
        health: { check: { http: { port: 80, path: '/' } }, intervalSeconds: 2, timeoutSeconds: 5, retries: 3 },
      },
      {
        name: 't',
        kind: 'vm',
        disk: 'disk',
        command: [],
        env: {},
        files: {},
        memoryBytes: 64 * 2 ** 20,
        storage: 'ram',
        network: { bridge: 'boot', mac: '02:00:00:00:00:07', address: parseIpv4('10.77.0.50') },
        restart: 'always',
      },
    ]);
  });

  it.each([
    ['RAM of a size', `${CONTAINER}, storage: {ram: 64M}`],
    ['a VM from the shared kernel', VM],
    ['a VM that netboots', 'kind: vm, memory: 512M, network: {bridge: boot}'],
    ['a check of a port of a VM behind NAT', `${VM}, health: {tcp: 80}`],
  ])('%s', (_name, fields) => expect(lines(site(fields))).toEqual([]));
});

describe('what a kind has not is refused', () => {
  it.each<[string, string, string]>([
    [
      'a chroot without a template',
      'kind: chroot, command: [a]',
      'systems[0].image: is missing; allowed: the template, e.g. base',
    ],
    [
      'a container without a command',
      'kind: container, image: base',
      'systems[0].command: is missing; allowed: a program and its arguments, e.g. [/bin/httpd, -f]',
    ],
    [
      'a disk of a chroot',
      `${CONTAINER}, disk: disk`,
      'systems[0].disk: a container has no disk; allowed: no disk, or kind: vm',
    ],
    [
      'a kernel of a container',
      `${CONTAINER}, kernel: kernel`,
      'systems[0].kernel: a container has the machine’s kernel; allowed: no kernel, or kind: vm',
    ],
    [
      'a VM without memory',
      'kind: vm, image: base, command: [a]',
      'systems[0].memory: is missing: the RAM of the VM; allowed: a size, e.g. 256M',
    ],
    [
      'a VM with two roots',
      `${VM}, disk: disk`,
      'systems[0].disk: image and disk exclude each other; allowed: one of image, disk',
    ],
    [
      'a command for a disk',
      'kind: vm, memory: 64M, disk: disk, command: [a]',
      'systems[0].command: a VM with a disk has its own system; allowed: no command',
    ],
    [
      'a VM that netboots behind NAT',
      'kind: vm, memory: 64M',
      'systems[0].network: a VM that netboots must reach the server as a machine does; allowed: {bridge: boot, mac: MAC}',
    ],
    [
      'a VM with a label and no size',
      `${VM}, storage: {label: data, path: a}`,
      'systems[0].storage: a VM writes to a disk, which has a size; allowed: {label, path, size}',
    ],
    [
      'a chroot with a card',
      'kind: chroot, image: base, command: [a], network: {bridge: boot}',
      'systems[0].network: a chroot has the machine’s network; allowed: host, or kind: container',
    ],
    [
      'a VM on the host’s network',
      `${VM}, network: host`,
      'systems[0].network: a VM has a card of its own; allowed: {bridge: boot} | {nat: boot}',
    ],
    [
      'the address of a machine',
      `${CONTAINER}, network: {bridge: boot, address: 10.77.0.11}`,
      'systems[0].network: 10.77.0.11 belongs to machine m already; allowed: a free address',
    ],
    [
      'a command as check of a VM',
      `${VM}, health: {command: [a]}`,
      'systems[0].health: nobody runs a command inside a VM; allowed: http | tcp',
    ],
    [
      'a check of a VM at an address nobody knows',
      `${VM}, network: {bridge: boot}, health: {tcp: 80}`,
      'systems[0].health: the machine does not know the address of this VM; allowed: a network with an address, or nat',
    ],
    [
      'two checks',
      `${CONTAINER}, health: {tcp: 80, command: [a]}`,
      'systems[0].health: has not exactly one way to check; allowed: one of command, http, tcp',
    ],
    [
      'a label that ext4 cannot keep',
      `${CONTAINER}, storage: {label: aaaaaaaaaaaaaaaaa, path: a}`,
      'systems[0].storage.label: "aaaaaaaaaaaaaaaaa" does not fit; allowed: letters, digits, ., _ and -, at most 16',
    ],
    [
      'a path that leaves the partition',
      `${CONTAINER}, storage: {label: a, path: ../a}`,
      'systems[0].storage.path: "../a" is not a path on a partition; allowed: relative, of letters, digits, ., _ and -, each part starting with a letter or digit: systems/web',
    ],
    [
      'RAM of no size',
      `${CONTAINER}, storage: {ram: 12Q}`,
      'systems[0].storage.ram: "12Q" is not a size of memory that fits; allowed: a number with K, M or G (powers of 1024), e.g. 128M, 1G; at least 1M',
    ],
    [
      'a key of a form that is misspelt',
      `${CONTAINER}, storage: {lable: a, path: b, size: 1G}`,
      'systems[0].storage.lable: unknown key (did you mean "label"?); allowed: label, path, size',
    ],
    [
      'a form without a key that it needs',
      `${CONTAINER}, storage: {label: a}`,
      'systems[0].storage.path: is missing; allowed: a folder on the partition, e.g. systems/web',
    ],
    [
      'two forms at once',
      `${CONTAINER}, storage: {ram: 1G, label: a}`,
      'systems[0].storage.label: unknown key; allowed: ram',
    ],
    [
      'no form at all',
      `${CONTAINER}, storage: {}`,
      'systems[0].storage: keys with values do not fit; allowed: ram | {ram: SIZE} | {label: LABEL, path: PATH, size: SIZE}',
    ],
    [
      'a card with a wrong address',
      `${CONTAINER}, network: {bridge: boot, address: 10.77.0}`,
      'systems[0].network.address: "10.77.0" is not an IPv4 address; allowed: write four numbers 0-255, e.g. 10.77.0.11',
    ],
  ])('%s', (_name, fields, expected) => {
    expect(lines(site(fields)).map((line) => line.replace(/^site.yaml:2: /, ''))).toContain(expected);
  });
});

describe('what a role or its profile cannot honour is refused', () => {
  const CHROOT = 'kind: chroot, image: base, command: [a]';
  it.each<[string, string, string, string]>([
    [
      'micro: a container',
      CONTAINER,
      'micro',
      'systems[0].kind: system s in role r: profile micro cannot run kind container; allowed: chroot',
    ],
    [
      'micro: a label',
      `${CHROOT}, storage: {label: a, path: b}`,
      'micro',
      'systems[0].storage: system s in role r: profile micro has no storage {label: …}; allowed: ram',
    ],
    [
      'micro: a check',
      `${CHROOT}, health: {tcp: 80}`,
      'micro',
      'systems[0].health: system s in role r: profile micro has no health; allowed: no health',
    ],
    [
      'micro: NAT',
      `${CONTAINER}, network: {nat: boot}`,
      'micro',
      'systems[0].network: system s in role r: profile micro has no network nat; allowed: host',
    ],
    [
      'single: a VM',
      VM,
      'live, mode: single',
      'systems[0].kind: system s in role r: in mode single the system is the machine’s own root, and a VM has none; allowed: chroot | container',
    ],
    [
      'single: a partition',
      `${CHROOT}, storage: {label: a, path: b}`,
      'live, mode: single',
      'systems[0].storage: system s in role r: in mode single it writes to the machine’s RAM; allowed: ram',
    ],
    [
      'single: a check',
      `${CHROOT}, health: {tcp: 80}`,
      'live, mode: single',
      'systems[0].health: system s in role r: in mode single nobody is left to check it; allowed: no health',
    ],
    [
      'a system after one that the role does not start',
      `${CHROOT}, after: [t]`,
      'live',
      'systems[0].after: role r starts s, but not t; allowed: s',
    ],
    [
      'a system after itself',
      `${CHROOT}, after: [s]`,
      'live',
      'systems[0].after: s would wait for itself; allowed: an order without a circle',
    ],
  ])('%s', (_name, fields, profile, expected) => {
    expect(lines(site(fields, `profile: ${profile}`)).map((line) => line.replace(/^site.yaml:2: /, ''))).toContain(
      expected,
    );
  });

  const two = (a: string, b: string): string =>
    `systems:\n  - { name: a, ${a} }\n  - { name: b, ${b} }\nroles:\n  - { name: r, profile: live, systems: [a, b] }\nmachines:\n  - { name: m, macs: ["52:54:00:00:00:01"], role: r }\n  - { name: n, macs: ["52:54:00:00:00:02"], role: r }\n`;
  it.each<[string, string, string]>([
    [
      'a port forwarded to two systems',
      two(
        `${CONTAINER}, network: {nat: boot, ports: ["80:80"]}`,
        `${CONTAINER}, network: {nat: boot, ports: ["80:81"]}`,
      ),
      'site.yaml:3: systems[1].network: port 80/tcp of the machine belongs to system a in role r already; allowed: one system for each',
    ],
    [
      'a place on a partition of two systems',
      two(`${CONTAINER}, storage: {label: d, path: x}`, `${CONTAINER}, storage: {label: d, path: x}`),
      'site.yaml:3: systems[1].storage: x on d belongs to system a in role r already; allowed: one system for each',
    ],
    [
      'systems that wait for each other',
      two(`${CONTAINER}, after: [b]`, `${CONTAINER}, after: [a]`),
      'site.yaml:2: systems[0].after: a would wait for itself; allowed: an order without a circle',
    ],
    [
      'one address on two machines',
      two(`${CONTAINER}, network: {bridge: boot, address: 10.77.0.50}`, CONTAINER),
      'site.yaml:2: systems[0].network: address 10.77.0.50 would be on m, n, which all have role r; allowed: one machine, or DHCP',
    ],
    [
      'two labels on one device',
      'machines:\n  - { name: m, macs: ["52:54:00:00:00:01"], disks: {a: /dev/vda, b: /dev/vda} }\n',
      'site.yaml:2: machines[0].disks.b: /dev/vda is the device of a already; allowed: one label for each device',
    ],
    [
      'a device that is none',
      'machines:\n  - { name: m, macs: ["52:54:00:00:00:01"], disks: {a: /dev/../etc} }\n',
      'site.yaml:2: machines[0].disks.a: "/dev/../etc" is not a device; allowed: a path below /dev, e.g. /dev/disk/by-id/…',
    ],
  ])('%s', (_name, text, expected) => expect(lines(text)).toContain(expected));
});
