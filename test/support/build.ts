import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Compiles server/ to dist/ once before the tests: worker threads and child processes run the compiled files. */
export default function setup(): void {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'], {
    cwd: root,
    stdio: 'inherit',
  });
}
