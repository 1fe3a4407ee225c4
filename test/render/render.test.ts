import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { packageRoot, profilesDir } from '../../server/paths.js';
import { loadProfiles } from '../../server/render/profiles.js';
import { compileTemplate } from '../../server/render/renderer.js';
import { templateFault } from '../../server/render/text-templates.js';

const hex = (letter: string): string => letter.repeat(64);
const data = {
  machine: { name: 'node1', mac: '52:54:00:00:00:01', address: '10.77.0.11', labels: { rack: 'r1' } },
  role: { name: 'web' },
  profile: { name: 'micro' },
  session: 's1',
  server: { url: 'http://10.77.0.1:8080', address: '10.77.0.1' },
  params: { console: 'ttyS0,115200n8', break: '' },
  kernel: {
    file: 'vmlinuz',
    path: `/images/sha256/${hex('a')}/vmlinuz`,
    url: `http://10.77.0.1:8080/images/sha256/${hex('a')}/vmlinuz`,
    reference: 'kernel',
  },
  initrd: {
    file: 'initrd.img',
    path: `/images/sha256/${hex('b')}/initrd.img`,
    url: `http://10.77.0.1:8080/images/sha256/${hex('b')}/initrd.img`,
  },
  args: 'console=tty0 ip=dhcp anybios.nonce=n1',
};

describe('every shipped profile loads and renders', () => {
  const profiles = loadProfiles(profilesDir);
  test('they are micro, live, localdisk and discover', () => {
    expect([...profiles.keys()]).toEqual(['discover', 'live', 'localdisk', 'micro']);
  });
  const wanted = [...profiles.keys()].flatMap((name) => [[name, 'ipxe'] as const, [name, 'grub'] as const]);
  test.each(wanted)('%s for %s, the whole script', (name, loader) => {
    const text = profiles.get(name)?.[loader](data) ?? '';
    const golden = join(packageRoot, 'test/fixtures/scripts', `${name}.${loader}`);
    if (process.env.UPDATE_GOLDEN === '1') {
      mkdirSync(join(golden, '..'), { recursive: true });
      writeFileSync(golden, text);
    }
    expect(text).toBe(readFileSync(golden, 'utf8'));
    if (loader === 'ipxe') expect(text).toMatch(/^#!ipxe\n/);
  });
  test('micro for ipxe with a boot menu, the whole script', () => {
    const entries = [
      { label: 'resident', text: 'all systems: web db', args: 'console=tty0 anybios.choice=resident' },
      { label: 'single-web', text: 'web alone', args: 'console=tty0 anybios.choice=single:web' },
    ];
    const menu = { default: 'resident', milliseconds: 10_000, entries };
    const text = profiles.get('micro')?.ipxe({ ...data, menu }) ?? '';
    const golden = join(packageRoot, 'test/fixtures/scripts/micro-menu.ipxe');
    if (process.env.UPDATE_GOLDEN === '1') writeFileSync(golden, text);
    expect(text).toBe(readFileSync(golden, 'utf8'));
  });
  test('every profile speaks on tty0 and ttyS0, without quiet', () => {
    for (const { profile } of profiles.values()) {
      if (profile.kind === 'local') continue;
      const args = profile.args.join(' ').replace('{{params.console}}', profile.params.console ?? '');
      expect(args).toMatch(/console=tty0/);
      expect(args).toMatch(/console=ttyS0/);
      expect(args).not.toMatch(/quiet/);
    }
  });
  test('GRUB scripts are words that a shell would read the same way', () => {
    for (const name of readdirSync(join(packageRoot, 'test/fixtures/scripts')).filter((file) =>
      file.endsWith('.grub'),
    )) {
      execFileSync('sh', ['-n', join(packageRoot, 'test/fixtures/scripts', name)]);
    }
  });
});

test('a site’s own folder adds profiles, which may extend the shipped ones, and replaces them by name', () => {
  const dir = mkdtempSync(join(tmpdir(), 'anybios-profiles-'));
  for (const [name, text] of [
    ['lab', 'extends: micro\nargs: [console=tty0, mitigations=off]\n'],
    ['localdisk', 'kind: local\ndescription: ours\ntemplates: { ipxe: l.hbs, grub: l.hbs }\n'],
  ] as const) {
    mkdirSync(join(dir, name));
    writeFileSync(join(dir, name, 'profile.yaml'), text);
    writeFileSync(join(dir, name, 'l.hbs'), 'exit\n');
  }
  const profiles = loadProfiles(profilesDir, dir);
  expect(profiles.get('lab')?.profile).toMatchObject({
    kind: 'boot',
    kernel: 'kernel',
    rootfs: 'micro',
    args: ['console=tty0', 'mitigations=off'],
    params: { break: '' },
  });
  expect(profiles.get('lab')?.ipxe(data)).toMatch(/^#!ipxe/);
  expect(profiles.get('localdisk')?.profile.description).toBe('ours');
});

describe("templates of systems' files", () => {
  test.each([
    [
      'every variable that there is',
      '{{machine.name}} {{machine.labels.rack}} {{role.name}} {{system.name}} {{server.url}}',
    ],
    ['parameters by any name', '{{params.anything}}'],
    [
      'names inside a block are of the inner value',
      '{{#each machine.macs}}{{this}} {{@index}} {{/each}}{{#with machine}}{{mac}}{{/with}}',
    ],
    ['helpers', '{{#if machine.address}}{{lookup machine.labels "rack"}}{{else}}{{machine.mac}}{{/if}}'],
  ])('%s', (_name, text) => {
    expect(templateFault(text)).toBeUndefined();
  });

  const there =
    'there are machine.name, machine.mac, machine.macs, machine.address, machine.labels, role.name, system.name, params.NAME, server.url, server.address';
  test.each([
    ['{{machine.nam}}', 'machine.nam'],
    ['{{hostname}}', 'hostname'],
    ['{{#if machine.ip}}x{{/if}}', 'machine.ip'],
    ['{{#if machine.mac}}{{else}}{{role.id}}{{/if}}', 'role.id'],
    ['{{#each machine.addresses}}{{this}}{{/each}}', 'machine.addresses'],
    ['{{constructor.name}}', 'constructor.name'],
  ])('%s is refused before any machine asks', (text, name) => {
    expect(templateFault(text)).toBe(`there is no variable ${name}; ${there}`);
  });
});

describe('templates', () => {
  const rows: Record<string, [string, object, string | RegExp]> = {
    'nothing is escaped': ['a={{v}}', { v: `<"&'=x` }, `a=<"&'=x`],
    'a missing variable is an error that names the template': ['{{nope}}', {}, /template t: .*"?nope"? not defined/],
    'a missing inner variable too': ['{{a.b}}', { a: {} }, /template t:.*not defined/],
    'a syntax error shows at load': ['{{#if}', {}, /template t: Parse error/],
    'prototype properties are not reachable': ['{{v.constructor}}', { v: {} }, /template t:|^$/],
  };
  test.each(Object.entries(rows))('%s', (_name, [source, values, expected]) => {
    const run = () => compileTemplate('t', source)(values);
    if (typeof expected === 'string') expect(run()).toBe(expected);
    else {
      let outcome: string;
      try {
        outcome = run();
      } catch (error) {
        outcome = error instanceof Error ? error.message : String(error);
      }
      expect(outcome).toMatch(expected);
    }
  });
});

describe('profile files', () => {
  const rows: Record<string, [Record<string, string>, RegExp]> = {
    'an unknown key': [{ 'a/profile.yaml': 'kind: local\ncolour: red\n' }, /colour/],
    'no kind': [
      { 'a/profile.yaml': 'templates: { ipxe: x.hbs, grub: x.hbs }\n', 'a/x.hbs': '' },
      /profile a has no kind/,
    ],
    'no kernel': [
      { 'a/profile.yaml': 'kind: boot\ntemplates: { ipxe: x.hbs, grub: x.hbs }\n', 'a/x.hbs': '' },
      /profile a has no kernel image/,
    ],
    'a template that is not there': [
      { 'a/profile.yaml': 'kind: local\ntemplates: { ipxe: x.hbs, grub: x.hbs }\n' },
      /cannot read .*x\.hbs/,
    ],
    'a template outside the folder': [
      { 'a/profile.yaml': 'kind: local\ntemplates: { ipxe: ../x.hbs, grub: x.hbs }\n' },
      /templates\.ipxe/,
    ],
    'extends nothing': [{ 'a/profile.yaml': 'extends: b\n' }, /profile a extends "b", which is not there/],
    'extends itself': [{ 'a/profile.yaml': 'extends: b\n', 'b/profile.yaml': 'extends: a\n' }, /extends itself/],
    'broken YAML': [{ 'a/profile.yaml': 'kind: [\n' }, /profile\.yaml/],
  };
  test.each(Object.entries(rows))('%s is refused', (_name, [files, message]) => {
    const dir = mkdtempSync(join(tmpdir(), 'anybios-profiles-'));
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(join(dir, name, '..'), { recursive: true });
      writeFileSync(join(dir, name), text);
    }
    expect(() => loadProfiles(dir)).toThrow(message);
  });
});
