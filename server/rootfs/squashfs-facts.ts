import { invalid } from '../domain/errors.js';
import { type RunOptions, runProgram } from './run-program.js';

export interface SquashfsFacts {
  readonly entries: number;
  /** Bytes of all files, unpacked. */
  readonly bytes: number;
  /** Programs that run as another user: paths with a setuid or setgid bit. */
  readonly setuid: readonly string[];
  readonly devices: readonly string[];
}

/** Lists a squashfs. Throws `invalid` when it cannot be read. */
export async function squashfsFacts(path: string, options: RunOptions): Promise<SquashfsFacts> {
  const listing = await runProgram('unsquashfs', ['-lln', '-d', '', path], options);
  return parseListing(listing, path);
}

/** Of `unsquashfs -lln`: `-rwsr-xr-x 0/0   55528 2023-03-23 12:40 /usr/bin/su`, devices with `major,minor` for the size. */
export function parseListing(listing: string, what: string): SquashfsFacts {
  const setuid: string[] = [];
  const devices: string[] = [];
  let entries = 0;
  let bytes = 0;
  for (const line of listing.split('\n')) {
    const match = /^([-dlcbps])(\S{9})\s+\d+\/\d+\s+(\d+(?:,\s*\d+)?)\s+\S+\s+\S+ (.*)$/.exec(line);
    const [, type, mode, size, path] = match ?? [];
    if (type === undefined || mode === undefined || size === undefined || path === undefined) continue;
    entries += 1;
    if (type === '-') bytes += Number(size);
    if (type === 'c' || type === 'b') devices.push(path);
    if (type === '-' && /[sS]/.test(mode)) setuid.push(path);
  }
  if (entries === 0) throw invalid(`${what} is not a squashfs with files in it`, { remedy: 'make it again' });
  return { entries, bytes, setuid, devices };
}
