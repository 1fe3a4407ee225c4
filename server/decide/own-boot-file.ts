import { archKey, describeArch } from '../domain/arch.js';
import type { BootFiles } from '../domain/dhcp-options.js';

/** Boot files as one place sets them. */
export interface BootFileSetting {
  readonly source: 'machine' | 'profile' | 'subnet';
  readonly files: BootFiles;
}

export interface OwnBootFile {
  readonly file: string;
  readonly reason: string;
}

/**
 * The boot file that people set for this architecture; `settings` from near to far, the nearest wins. 7 and 9 are the same x64
 * firmware (erratum of RFC 4578): either number serves both, its own number first.
 */
export function ownBootFile(arch: number, settings: readonly BootFileSetting[]): OwnBootFile | undefined {
  return lookUp(arch === 7 ? SEVEN : arch === 9 ? NINE : [arch], arch, settings);
}

/** The file for architectures that no loader is shipped for. */
export function fallbackBootFile(arch: number, settings: readonly BootFileSetting[]): OwnBootFile | undefined {
  return lookUp(DEFAULT, arch, settings);
}

const SEVEN = [7, 9];
const NINE = [9, 7];
const DEFAULT = ['default' as const];

/** Settings are never changed: others replace them. */
const sorted = new WeakMap<BootFiles, ReadonlyMap<number | 'default' | undefined, readonly [string, string]>>();

/** Key as written and file, by what the key means; the first of several that mean the same counts. */
function byArch(files: BootFiles): ReadonlyMap<number | 'default' | undefined, readonly [string, string]> {
  let known = sorted.get(files);
  if (known === undefined) {
    known = new Map(
      Object.entries(files)
        .reverse()
        .map((entry) => [archKey(entry[0]), entry]),
    );
    sorted.set(files, known);
  }
  return known;
}

function lookUp(
  wanted: readonly (number | 'default')[],
  arch: number,
  settings: readonly BootFileSetting[],
): OwnBootFile | undefined {
  for (const { source, files } of settings) {
    const known = byArch(files);
    for (const want of wanted) {
      const found = known.get(want);
      if (found !== undefined) {
        return { file: found[1], reason: `${describeArch(arch)}, bootFiles.${found[0]} set on the ${source}` };
      }
    }
  }
  return undefined;
}
