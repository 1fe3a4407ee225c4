import { open } from 'node:fs/promises';

export type FileKind = 'squashfs' | 'tar' | 'gzip' | 'xz' | 'zstd' | 'bzip2' | 'unknown';

const MAGIC: readonly (readonly [FileKind, number, string])[] = [
  ['squashfs', 0, '68737173'],
  ['gzip', 0, '1f8b'],
  ['xz', 0, 'fd377a585a00'],
  ['zstd', 0, '28b52ffd'],
  ['bzip2', 0, '425a68'],
  ['tar', 257, '7573746172'],
];
/** The program that gives the bytes back, reading standard input. */
export const DECOMPRESS: Readonly<Partial<Record<FileKind, string>>> = {
  gzip: 'gzip',
  xz: 'xz',
  zstd: 'zstd',
  bzip2: 'bzip2',
};

/** By what it begins with, not by its name. */
export async function fileKind(path: string): Promise<FileKind> {
  const file = await open(path, 'r');
  try {
    const head = Buffer.alloc(512);
    await file.read(head, 0, head.length, 0);
    const hex = head.toString('hex');
    return MAGIC.find(([, at, magic]) => hex.startsWith(magic, at * 2))?.[0] ?? 'unknown';
  } finally {
    await file.close();
  }
}
