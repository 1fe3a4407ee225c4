import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { packageRoot } from '../server/paths.js';

const root = join(packageRoot, 'server');

// Who may import whom (docs/architecture.md holds the same table for people). A folder may always import itself.
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  yaml: ['domain', 'wire'],
  wire: ['domain'],
  decide: ['domain', 'wire', 'boot/contract.ts'],
  render: ['domain'],
  store: ['domain'],
  images: ['domain', 'boot/contract.ts'],
  state: ['domain'],
  desired: ['domain', 'state', 'yaml'],
  boot: ['domain', 'decide', 'state'],
  dhcp: ['domain', 'wire', 'decide', 'state', 'boot'],
  tftp: ['domain', 'wire', 'decide', 'boot'],
  http: ['domain', 'decide', 'state', 'boot', 'desired'],
  lab: ['domain', 'config'],
  cli: ['domain', 'lab', 'config', 'main.ts', 'dhcp/probe.ts'],
};
const PURE = ['domain', 'wire', 'decide'];
/** Top-level files: the composition root, the reader of configuration, and where things lie. */
const TOP: Readonly<Record<string, readonly string[]>> = { 'main.ts': ['*'], 'paths.ts': [] };

function sources(dir: string): string[] {
  return readdirSync(dir).flatMap((name) => {
    const path = join(dir, name);
    if (statSync(path).isDirectory()) return name === 'web' ? [] : sources(path);
    return name.endsWith('.ts') ? [path] : [];
  });
}

function importsOf(path: string): string[] {
  const text = readFileSync(path, 'utf8');
  return [...text.matchAll(/^\s*(?:import|export)\s[^;]*?from\s+'([^']+)';/gms)].map((match) => match[1] ?? '');
}

/** `decide`, or the file name for a file at the top; `config*.ts` counts as `config`. */
function areaOf(path: string): string {
  const [first = '', ...rest] = relative(root, path).split('/');
  if (rest.length > 0) return first;
  return first.startsWith('config') ? 'config' : first;
}

const files = sources(root);

describe('the import table', () => {
  test.each(files.map((path) => [relative(root, path), path]))('%s', (_name, path) => {
    const area = areaOf(path);
    const allowed = area === 'config' ? ['domain', 'wire', 'yaml'] : (ALLOWED[area] ?? TOP[area] ?? []);
    for (const target of importsOf(path)) {
      if (!target.startsWith('.')) {
        if (PURE.includes(area)) expect.fail(`${target}: ${area} imports no package and no node: module`);
        continue;
      }
      const file = resolve(dirname(path), target).replace(/\.js$/, '.ts');
      const wanted = areaOf(file);
      const fine =
        allowed.includes('*') ||
        wanted === area ||
        wanted === 'paths.ts' ||
        allowed.includes(wanted) ||
        allowed.includes(relative(root, file));
      if (!fine) expect.fail(`imports ${relative(root, file)}; ${area} may import ${allowed.join(', ') || 'nothing'}`);
    }
  });
});

test('every folder of server/ is in the table and in docs/architecture.md', () => {
  const text = readFileSync(join(packageRoot, 'docs/architecture.md'), 'utf8');
  const folders = readdirSync(root).filter((name) => statSync(join(root, name)).isDirectory());
  for (const folder of folders.filter((name) => name !== 'web')) {
    expect(Object.keys(ALLOWED)).toContain(folder);
    expect(text).toContain(`\`${folder}\``);
  }
});

test('process.exit is called by the command line only', () => {
  const callers = files
    .filter((path) => /process\.exit\(/.test(readFileSync(path, 'utf8')))
    .map((path) => relative(root, path));
  for (const caller of callers)
    expect(['main.ts', 'cli/anybios.ts', 'cli/serve.ts', 'cli/lab.ts', 'images/stream-process.ts']).toContain(caller);
});
