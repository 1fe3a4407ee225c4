import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { BOOT_STAGES } from '../server/domain/boot-session.js';
import { packageRoot } from '../server/paths.js';

const read = (path: string): string => readFileSync(join(packageRoot, path), 'utf8');
const under = (folder: string, ending: string): string[] =>
  readdirSync(join(packageRoot, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => `${folder}/${name}`);

/** Every `name:` of a diagnosis in the sources: it stands beside a message, in quotes, with hyphens; a template is one name for each stage. */
function diagnosesIn(source: string): string[] {
  const whole = [...source.matchAll(/\bname: '([a-z0-9]+(?:-[a-z0-9]+)+)',\s+message\b/g)].map(([, name = '']) => name);
  const parts = [...source.matchAll(/\bconst name = \w+ \? '([a-z0-9-]+)' : `\$\{stage\}-(\w+)`/g)];
  return [
    ...whole,
    ...parts.flatMap(([, name = '', end = '']) => [name, ...REPORTED.map((stage) => `${stage}-${end}`)]),
  ];
}

/** The stages that machines themselves report: what comes after the kernel. */
const REPORTED = BOOT_STAGES.slice(BOOT_STAGES.indexOf('kernel') + 1);

describe('diagnoses', () => {
  const sources = [...under('server/boot', '.ts'), ...under('server/decide', '.ts'), ...under('server/dhcp', '.ts')];
  const given = [...new Set(sources.flatMap((path) => diagnosesIn(read(path))))].sort();
  const section = /\n## When it does not go on[^\n]*\n(.*?)\n## /s.exec(read('docs/booting.md'))?.[1] ?? '';
  const rows = [...section.matchAll(/^\| (`[^|]*`) \|/gm)].flatMap(([, cell = '']) => cell.match(/[a-z0-9-]+/g) ?? []);

  test('every one that the sources can give is explained in docs/booting.md, and no other', () => {
    expect(given.length).toBeGreaterThan(15);
    expect(rows.sort()).toEqual(given);
  });

  test('every place that fails a session gives a name that was found', () => {
    // A name built in a new way would not be found above: each call is one of these forms.
    const calls = sources.flatMap((path) => [...read(path).matchAll(/sessions\.fail\(([\s\S]*?)\);/g)]);
    const forms = /name: '|failureOf\(|diagnosis\b|\bloop\b/;
    expect(calls.length).toBeGreaterThan(3);
    expect(calls.map(([, text = '']) => text).filter((text) => !forms.test(text))).toEqual([]);
  });
});

const pages = ['README.md', 'CHANGELOG.md', ...under('docs', '.md')];

test.each(pages)('%s: no place was left to be filled in', (path) => {
  const bare = read(path)
    .split('\n')
    .filter((line) => /^[^\w#]*[A-Z]{3,}\W*$/.test(line) || /\b(TODO|TBD|FIXME|XXX)\b/.test(line));
  // The end of a here-document in a shell block is no word of the text.
  expect(bare.filter((line) => line !== 'EOF')).toEqual([]);
});

test.each(pages)('%s: what it links to is there', (path) => {
  const links = [...read(path).matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)].map(([, target = '']) => target);
  const folder = join(packageRoot, path, '..');
  for (const target of links) expect(() => readdirSync(join(folder, target, '..'))).not.toThrow();
  for (const target of links)
    expect(readdirSync(join(folder, target, '..'))).toContain(target.replace(/\/$/, '').split('/').at(-1));
});

describe('figures in docs/booting.md', () => {
  const figures = /\n## Figures\n(.*?)\n## /s.exec(read('docs/booting.md'))?.[1] ?? '';
  const row = (start: string): string => figures.split('\n').find((line) => line.startsWith(`| ${start}`)) ?? '';

  test.each([
    'BIOS PXE (',
    'BIOS PXE by `undionly.kpxe`',
    'UEFI PXE, first',
    'UEFI PXE, second',
    'UEFI HTTP',
    'UEFI Secure',
  ])('seconds per stage: %s', (path) => expect(row(path).match(/\b\d+\.\d\b/g)?.length).toBeGreaterThanOrEqual(5));

  test('the limits of sizes are those at which the build fails', () => {
    const build = read('boot-assets/build.sh');
    const limits = Object.fromEntries(
      [...build.matchAll(/^\s*(\w+)\).*\binitrd_limit=(\d+)/gm)].map((m) => [m[1], m[2]]),
    );
    expect(limits).toEqual({ cloud: '4', hardware: '24' });
    expect(row('initrd')).toContain('4 MiB cloud, 24 MiB hardware');
    for (const [, image = '', limit = ''] of build.matchAll(/^at_most "\$result\/(\w+)\.squashfs" (\d+)$/gm))
      expect(row(`\`${image}\``)).toContain(`${limit} MiB`);
    expect(row('`micro`')).toContain('8 MiB');
  });
});
