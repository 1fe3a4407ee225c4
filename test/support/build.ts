import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/**
 * Compiles server/ to dist/ once before the tests: worker threads and child processes run the compiled files. Throws when
 * there are type errors (tsc prints them): tests of a mixture of old and new files would say nothing.
 */
export default function setup(): void {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const { status, signal, error } = spawnSync(
    process.execPath,
    ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'],
    {
      cwd: root,
      stdio: 'inherit',
    },
  );
  if (status !== 0) throw new Error(`tsc ended with ${signal ?? status}: nothing is tested`, { cause: error });
}
