import type { Config } from './config.js';

/** What is fixed for the life of the process, and differs. */
export function keysToRestartFor(before: Config, after: Config): readonly string[] {
  const keys: readonly (readonly [string, unknown, unknown])[] = [
    ['dataDir', before.dataDir, after.dataDir],
    ['files', before.filesDir, after.filesDir],
    ['listen.interfaces', before.listen.interfaces, after.listen.interfaces],
    ['listen.address', before.listen.address, after.listen.address],
    ['listen.http', before.listen.http, after.listen.http],
    ['listen.tftp', before.listen.tftp, after.listen.tftp],
    ['listen.images', before.listen.images, after.listen.images],
    ['tftp', before.tftp, after.tftp],
  ];
  return keys.filter(([, a, b]) => JSON.stringify(a) !== JSON.stringify(b)).map(([key]) => key);
}
