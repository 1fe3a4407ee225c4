import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { invalid } from '../domain/errors.js';

/** Says that a folder is a lab's: only such a folder is ever emptied. */
const OWNED = '.anybios-lab';

export interface LabFolder {
  readonly path: string;
  readonly config: string;
  readonly site: string;
  readonly dataDir: string;
  /** Console logs, firmware variables and sockets of the machines. */
  readonly machines: string;
  readonly serverLog: string;
  readonly apiSocket: string;
}

/**
 * An empty folder for one run of the lab: what an earlier run left (logs, database) is removed. Throws `invalid` when the
 * folder holds something that no lab put there, or when its path is too long for a unix socket.
 */
export function openLabFolder(path: string): LabFolder {
  const folder: LabFolder = {
    path,
    config: `${path}/anybios.yaml`,
    site: `${path}/site.yaml`,
    dataDir: `${path}/data`,
    machines: `${path}/machines`,
    serverLog: `${path}/server.log`,
    apiSocket: `${path}/data/anybios.sock`,
  };
  const longest = `${folder.machines}/n${'9'.repeat(3)}.serial.sock`;
  // sun_path of unix(7): 108 bytes with the closing NUL.
  if (Buffer.byteLength(longest) > 107) {
    throw invalid(`the path ${path} is too long for the sockets of the lab`, {
      field: '--dir',
      remedy: `take a folder whose path has at most ${107 - (longest.length - path.length)} bytes`,
    });
  }
  mkdirSync(path, { recursive: true });
  if (!existsSync(`${path}/${OWNED}`) && readdirSync(path).length > 0) {
    throw invalid(`the folder ${path} holds files that are not the lab's`, {
      field: '--dir',
      remedy: 'name a new or an empty folder: the lab empties it at every start',
    });
  }
  writeFileSync(`${path}/${OWNED}`, 'This folder belongs to "anybios lab" and is emptied at every start.\n');
  for (const name of readdirSync(path)) if (name !== OWNED) rmSync(`${path}/${name}`, { recursive: true, force: true });
  mkdirSync(folder.machines);
  return folder;
}
