import { constants } from 'node:fs';
import { open, opendir, readlink, realpath } from 'node:fs/promises';
import { join } from 'node:path';

/** A regular file, by its real path (no link on the way) and its size in bytes; or why there is none. */
export type InsideFile =
  | { readonly kind: 'file'; readonly path: string; readonly size: number }
  | { readonly kind: 'none'; readonly reason: string };

/**
 * A folder with more entries than this is not searched without case: each miss reads it from the beginning, and anybody can ask for
 * names that are not there.
 */
export const SEARCHED_ENTRIES = 4096;

const none = (reason: string): InsideFile => ({ kind: 'none', reason });

/**
 * Finds the file `name` (segments parted by `/`) below the folder `root`. Never answers with a file outside it: `..`, absolute
 * names, back-slashes and NUL are refused, and a symbolic link counts as where it leads. A name that does not exist as written is
 * looked up without case, because firmware and Windows loaders do not keep it; two candidates are refused. Never throws for a
 * bad name; an unreadable disk is a reason too.
 */
export async function resolveInside(root: string, name: string): Promise<InsideFile> {
  const refusal = refuseName(name);
  if (refusal !== undefined) return none(refusal);
  const segments = name.split('/');
  try {
    const base = await realpath(root);
    const found = (await realPathOf(join(base, ...segments))) ?? (await findWithoutCase(base, segments));
    if (typeof found !== 'string') return none(found?.reason ?? 'no such file');
    if (!isInside(base, found)) return none('the name leads out of its folder (symbolic link)');
    return await inspect(found);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return none('no such file');
    return none(`the file cannot be used: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/**
 * The same for one folder; who asks for a name that is being looked up gets that answer, too. A room that is switched on asks for one
 * loader a thousand times at once, and each look is six calls to the disk.
 */
export function siteFiles(root: string): (name: string) => Promise<InsideFile> {
  const underWay = new Map<string, Promise<InsideFile>>();
  return (name) => {
    const known = underWay.get(name);
    if (known !== undefined) return known;
    const found = resolveInside(root, name).finally(() => underWay.delete(name));
    underWay.set(name, found);
    return found;
  };
}

function refuseName(name: string): string | undefined {
  if (name === '') return 'the name is empty';
  if (name.length > 1024) return `the name has ${name.length} characters, the limit is 1024`;
  if (name.includes('\0')) return 'the name holds a NUL character';
  if (name.includes('\\')) return 'the name holds a back-slash';
  if (name.startsWith('/')) return 'the name is absolute';
  const segments = name.split('/');
  if (segments.includes('..')) return 'the name leaves its folder ("..")';
  if (segments.includes('') || segments.includes('.')) return 'the name has an empty part';
  if (segments.some((segment) => Buffer.byteLength(segment) > 255)) return 'a part of the name is too long';
  return undefined;
}

/**
 * Checks the file itself and not the name: between two looks at a name, another file can take its place. The opened file says
 * through /proc which path it really has. O_NONBLOCK: opening a named pipe must not wait for its writer.
 */
async function inspect(path: string): Promise<InsideFile> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { size, isFile } = await handle.stat().then((stat) => ({ size: stat.size, isFile: stat.isFile() }));
    if (!isFile) return none('not a regular file');
    if ((await readlink(`/proc/self/fd/${handle.fd}`)) !== path)
      return none('the file was replaced while it was opened');
    return { kind: 'file', path, size };
  } finally {
    await handle.close();
  }
}

async function realPathOf(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/** Goes down part by part; a part as written wins over the same word in other case. */
async function findWithoutCase(
  base: string,
  segments: readonly string[],
): Promise<string | { readonly reason: string } | undefined> {
  let folder = base;
  for (const segment of segments) {
    const alike = await spellingsIn(folder, segment);
    if (alike === undefined)
      return {
        reason: `no such file as written, and a folder with more than ${SEARCHED_ENTRIES} entries is not searched without case`,
      };
    const [only] = alike;
    if (only === undefined) return undefined;
    if (alike.length > 1) return { reason: `several files match without case: ${alike.sort().join(', ')}` };
    const next = await realPathOf(join(folder, only));
    if (next === undefined) return undefined;
    // Before looking into it: a link out of the tree must not even tell what is there.
    if (!isInside(base, next)) return { reason: 'the name leads out of its folder (symbolic link)' };
    folder = next;
  }
  return folder;
}

/** The name as written, else all that differ in case only. Undefined: too many to look through. */
async function spellingsIn(folder: string, segment: string): Promise<string[] | undefined> {
  if ((await realPathOf(join(folder, segment))) !== undefined) return [segment];
  const wanted = segment.toLowerCase();
  const alike: string[] = [];
  let seen = 0;
  for await (const { name } of await opendir(folder, { bufferSize: 256 })) {
    seen += 1;
    if (seen > SEARCHED_ENTRIES) return undefined;
    if (name.toLowerCase() === wanted) alike.push(name);
  }
  return alike;
}

function isInside(base: string, path: string): boolean {
  return path.startsWith(base.endsWith('/') ? base : `${base}/`);
}

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
