import { readFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type AnybiosError, invalid } from '../domain/errors.js';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of the path is not a folder',
};

/** What the operating system said, in words. */
export function reasonOf(error: unknown): string {
  const code = errnoOf(error);
  return (code === undefined ? undefined : REASONS[code]) ?? (error instanceof Error ? error.message : String(error));
}

export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** A file that the operator named cannot be read. */
export function unreadable(path: string, option: string, error: unknown): AnybiosError {
  return invalid(`cannot read ${path}: ${reasonOf(error)}`, {
    field: option,
    remedy: 'name a file that exists and that you may read',
    cause: error,
  });
}

/** The text of a file, or of standard input for `-`. Throws `invalid` naming `option`. */
export async function readTextFile(path: string, option: string, stdin: Readable): Promise<string> {
  if (path === '-') return text(stdin);
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw unreadable(path, option, error);
  }
}
