import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DIAGNOSES } from '../server/decide/diagnose.js';
import { packageRoot } from '../server/paths.js';

test('every diagnosis is explained in docs/booting.md', () => {
  const text = readFileSync(join(packageRoot, 'docs/booting.md'), 'utf8');
  for (const name of DIAGNOSES) expect(text).toContain(`\`${name}\``);
});
