import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/**
 * Compiles server/ to dist/ once before the tests: worker threads and child processes run the compiled files. Type errors are
 * printed and left to `npm run check`, which runs before the tests and fails on them.
 */
export default function setup(): void {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'], {
    cwd: root,
    stdio: 'inherit',
  });
}
