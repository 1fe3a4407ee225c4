import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { AnybiosError } from '../domain/errors.js';
import type { Store } from '../domain/ports.js';

/** Makes the folder of the database, the images and the keys, for its owner only. Throws `unavailable`. */
export function makeDataDir(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new AnybiosError('unavailable', `the folder ${dataDir} cannot be made (${reason})`, {
      field: 'dataDir',
      remedy: 'name a folder on a disk that can be written; no part of its path may be a file',
      cause: error,
    });
  }
}

/** Nonces and credentials are derived from it; it never leaves the database (mode 0600). */
export async function serverKey(store: Store): Promise<string> {
  const known = await store.setting('server-key');
  if (known !== undefined) return known;
  const made = randomBytes(32).toString('hex');
  await store.saveSetting('server-key', made);
  return made;
}
