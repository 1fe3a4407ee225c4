import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { packageRoot } from '../server/paths.js';

it('docs/dependencies.md has a line for every dependency, and for nothing else', () => {
  const manifest: Readonly<Record<string, Record<string, string>>> = JSON.parse(
    readFileSync(`${packageRoot}/package.json`, 'utf8'),
  );
  const text = readFileSync(`${packageRoot}/docs/dependencies.md`, 'utf8');
  const firstColumns = text.split('\n').flatMap((line) => /^\| (`[^|]*)\|/.exec(line)?.[1] ?? []);
  const listed = firstColumns.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name));
  const wanted = [...Object.keys(manifest.dependencies ?? {}), ...Object.keys(manifest.devDependencies ?? {})];
  expect(listed.sort()).toEqual(wanted.sort());
});
