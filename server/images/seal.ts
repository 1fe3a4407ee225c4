import { type FileHandle, utimes } from 'node:fs/promises';

/**
 * The time of the last change that every whole file of the store shows: 2001-09-09. Any write to a file sets another, so one look at
 * a file (it is opened anyway) tells whether something other than this store has touched it, with no list to keep beside the files,
 * and in any process. What rots without a write is found by `verify` only.
 */
export const SEAL_SECONDS = 1_000_000_000;

/** `mtimeMs` is of stat(2). False: read it whole and compare its digest before a byte of it is given to anybody. */
export function isSealed(stat: { readonly mtimeMs: number }): boolean {
  return stat.mtimeMs === SEAL_SECONDS * 1000;
}

/** After the last write. */
export async function seal(file: FileHandle | string): Promise<void> {
  if (typeof file === 'string') await utimes(file, SEAL_SECONDS, SEAL_SECONDS);
  else await file.utimes(SEAL_SECONDS, SEAL_SECONDS);
}
