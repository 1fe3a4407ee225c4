import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Config } from '../../config.js';
import { reasonOf } from '../files.js';
import { formatBytes } from '../terminal/units.js';
import { type Check, failed, ok, warning } from './check.js';

/** The database needs little; below this, one imported image fills the disk, and a full disk stops leases. */
const FREE_NEEDED = 256 * 1024 * 1024;
const FREE_WANTED = 2 * 1024 * 1024 * 1024;

export function dataChecks({ dataDir, filesDir }: Config): readonly Check[] {
  const writable = checkWritable(dataDir);
  const files = filesDir === undefined ? [] : [checkFilesDir(filesDir)];
  return writable.state === 'failed' ? [writable, ...files] : [writable, checkSpace(dataDir), ...files];
}

function checkWritable(dataDir: string): Check {
  const folder = nearest(dataDir);
  try {
    if (!statSync(folder).isDirectory()) return failed('data', `${folder} is not a folder`, 'correct dataDir');
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    return failed('data', `${folder}: ${reasonOf(error)}`, 'run as root, or give this user the folder');
  }
  return ok('data', folder === dataDir ? `${dataDir} is writable` : `${dataDir} will be made at the first start`);
}

function checkSpace(dataDir: string): Check {
  const { bavail, bsize } = statfsSync(nearest(dataDir));
  return judgeSpace(bavail * bsize);
}

export function judgeSpace(free: number): Check {
  const message = `${formatBytes(free)} free`;
  if (free < FREE_NEEDED) return failed('disk', message, `free some: at least ${formatBytes(FREE_NEEDED)} are needed`);
  if (free < FREE_WANTED) return warning('disk', message, 'imported images need more room');
  return ok('disk', message);
}

function checkFilesDir(folder: string): Check {
  return existsSync(folder)
    ? ok('files', `${folder} is served`)
    : failed('files', `there is no folder ${folder}`, 'make it, or take "files" out of the configuration');
}

/** The folder itself, or the first one above it that exists. */
function nearest(folder: string): string {
  let at = folder;
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at);
  return at;
}
