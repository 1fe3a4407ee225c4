import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { packageRoot } from '../server/paths.js';

const root = join(packageRoot, 'server');
const architecture = readFileSync(join(packageRoot, 'docs/architecture.md'), 'utf8');

// Who may import whom (docs/architecture.md holds the same table for people: compared row by row below). A folder may always
// import itself, and everybody paths.ts. `config` stands for config*.ts, `main` for main.ts and main/, the composition root.
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  wire: ['domain'],
  decide: ['domain', 'wire', 'boot/contract'],
  render: ['domain'],
  native: ['domain'],
  store: ['domain', 'native/go-first'],
  images: ['domain', 'boot/contract', 'native'],
  rootfs: ['domain'],
  state: ['domain'],
  yaml: ['domain', 'wire'],
  desired: ['domain', 'state', 'yaml'],
  boot: ['domain', 'decide', 'state'],
  control: ['domain', 'decide', 'state'],
  dhcp: ['domain', 'wire', 'decide', 'state', 'boot', 'native'],
  tftp: ['domain', 'wire', 'decide', 'boot', 'native'],
  http: ['domain', 'decide', 'state', 'boot', 'control', 'desired'],
  config: ['domain', 'wire', 'yaml'],
  lab: ['domain', 'config'],
  cli: ['domain', 'lab', 'config', 'main', 'dhcp/probe', 'rootfs', 'native/port-holders'],
  main: ['*'],
  paths: [],
};
const PURE = ['domain', 'wire', 'decide'];
/** The only files that may end the process: the command line, on a signal that is given twice or a closed pipe. */
const ENDS_THE_PROCESS = ['cli/anybios.ts', 'cli/lab.ts', 'cli/serve.ts'];

function sources(dir: string): string[] {
  return readdirSync(dir).flatMap((name) => {
    const path = join(dir, name);
    if (statSync(path).isDirectory()) return name === 'web' ? [] : sources(path);
    return name.endsWith('.ts') ? [path] : [];
  });
}

/** What a source imports: statically, for its effect only, or when it runs (`await import('…')`). */
function importsOf(text: string): string[] {
  const found = text.matchAll(
    /^\s*(?:import|export)\s[^;]*?from\s+'([^']+)';|^\s*import\s+'([^']+)';|(?<![.\w])import\(\s*'([^']+)'/gms,
  );
  return [...found].map(([, from, effect, late]) => from ?? effect ?? late ?? '');
}

/** `decide`, or for a file at the top its name; `config*.ts` counts as `config`. */
function areaOf(path: string): string {
  const [first = '', ...rest] = relative(root, path).split('/');
  if (rest.length > 0) return first;
  return first.startsWith('config') ? 'config' : first.replace(/\.ts$/, '');
}

const files = sources(root);

describe('the import table', () => {
  test.each(files.map((path) => [relative(root, path), path]))('%s', (_name, path) => {
    const area = areaOf(path);
    const allowed = ALLOWED[area] ?? [];
    for (const target of importsOf(readFileSync(path, 'utf8'))) {
      if (!target.startsWith('.')) {
        if (PURE.includes(area)) expect.fail(`${target}: ${area} imports no package and no node: module`);
        continue;
      }
      const file = resolve(dirname(path), target).replace(/\.[jt]s$/, '');
      const wanted = areaOf(`${file}.ts`);
      const fine = [wanted, relative(root, file), '*'].some((name) => allowed.includes(name));
      if (!fine && wanted !== area && wanted !== 'paths')
        expect.fail(`imports ${relative(root, file)}; ${area} may import ${allowed.join(', ') || 'nothing'}`);
    }
  });

  test('imports of every form are seen', () => {
    const text = [
      "import { a } from './a.js';",
      "import {\n  b,\n} from './b.js';",
      "export { c } from './c.js';",
      "import './d.js';",
      "  const { e } = await import('./e.js');",
      "images.import('./f.js');",
    ];
    expect(importsOf(text.join('\n'))).toEqual(['./a.js', './b.js', './c.js', './d.js', './e.js']);
  });

  test('is the one of docs/architecture.md, row by row', () => {
    const section = /## Who may import whom[^\n]*\n(.*?)(?=\n## |$)/s.exec(architecture)?.[1] ?? '';
    const rows = [...section.matchAll(/^\| `(\w+)` +\| ([^|]*?) +\|/gm)].map(([, area = '', may = '']) => [
      area,
      may === 'everything' ? ['*'] : [...may.matchAll(/`([^`]+)`/g)].map(([, name]) => name),
    ]);
    expect(rows).toEqual(Object.entries(ALLOWED));
  });
});

test('every folder and every area of server/ is in the table of imports and in the one of folders', () => {
  const areas = new Set(files.map(areaOf));
  expect(Object.keys(ALLOWED).sort()).toEqual([...areas].sort());
  const folders = /## Folders\n(.*?)\n## /s.exec(architecture)?.[1] ?? '';
  const here = readdirSync(root).filter((name) => statSync(join(root, name)).isDirectory());
  for (const name of [...here, 'main.ts', 'config*.ts', 'paths.ts', 'boot-assets/', 'profiles/', 'test/'])
    expect(folders).toContain(`\`${name}\``);
});

test('process.exit is called by the command line only', () => {
  const callers = files.filter((path) => /process\.exit\(/.test(readFileSync(path, 'utf8')));
  expect(callers.map((path) => relative(root, path)).sort()).toEqual(ENDS_THE_PROCESS);
});

test('comments cite documents that are in this repository', () => {
  const tests = sources(join(packageRoot, 'test')).filter((path) => !path.endsWith('architecture.test.ts'));
  const citing = [...files, ...tests].filter((path) => /\bPRODUCT\b|\bFIELD:/.test(readFileSync(path, 'utf8')));
  expect(citing.map((path) => relative(packageRoot, path))).toEqual([]);
});
