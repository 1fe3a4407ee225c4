import { execFileSync } from 'node:child_process';
import { AnybiosError } from '../domain/errors.js';

/**
 * Runs a short command (`ip`, `cp`) and returns what it printed. Synchronous on purpose: the same calls clean up in an `exit`
 * handler, where nothing asynchronous runs any more. Throws `internal` with the command and its last words.
 */
export function run(program: string, args: readonly string[]): string {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (cause) {
    const said = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : '';
    const reason = said !== '' ? said : cause instanceof Error ? cause.message : String(cause);
    throw new AnybiosError('internal', `${program} ${args.join(' ')}: ${reason}`, {
      cause,
      ...(missing(cause) ? { remedy: `install the Debian package that has ${program} (npm run setup does)` } : {}),
    });
  }
}

const missing = (cause: unknown): boolean => cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
