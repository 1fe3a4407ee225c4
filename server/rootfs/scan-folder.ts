import type { Dirent } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { invalid } from '../domain/errors.js';
import { tooLarge } from './scan-tar.js';

export interface FolderFacts {
  readonly entries: number;
  readonly bytes: number;
  /** Relative paths of device files and sockets: what a template has no use for. */
  readonly special: readonly string[];
}

/** Looks at every file of a folder, in the file system of that folder only (no /proc of a running system). */
export async function scanFolder(folder: string, maxBytes: number, signal: AbortSignal): Promise<FolderFacts> {
  const { dev } = await lstat(folder);
  const special: string[] = [];
  let entries = 0;
  let bytes = 0;
  const walk = async (below: string): Promise<void> => {
    signal.throwIfAborted();
    const found: Dirent[] = await readdir(`${folder}/${below}`, { withFileTypes: true });
    for (const entry of found) {
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      entries += 1;
      if (entry.isDirectory()) {
        if ((await lstat(`${folder}/${path}`)).dev === dev) await walk(path);
      } else if (entry.isFile()) {
        bytes += (await lstat(`${folder}/${path}`)).size;
        if (bytes > maxBytes) throw tooLarge(folder, maxBytes);
      } else if (!entry.isSymbolicLink() && !entry.isFIFO()) {
        if (/[\n]/.test(path)) throw invalid(`${folder}: a device file has a line break in its name`);
        special.push(path);
      }
    }
  };
  await walk('');
  return { entries, bytes, special };
}
