import { execFile } from 'node:child_process';
import { access, chmod, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parsePublicKey } from '../domain/control-door.js';
import { unavailable } from '../domain/errors.js';

const run = promisify(execFile);

export interface ControlKey {
  /** The private key, mode 0600; only ssh reads it. */
  readonly path: string;
  /** `ssh-ed25519 AAAA… anybios`: what machines let in. */
  readonly publicKey: string;
}

/**
 * The key pair with which this server enters its machines: `dataDir/control.key`, made at the first start, whole or not at all.
 * Throws `unavailable` when OpenSSH is not installed or the file is no key.
 */
export async function ensureControlKey(dataDir: string): Promise<ControlKey> {
  const path = join(dataDir, 'control.key');
  try {
    if (!(await isThere(path))) await makeKey(path);
    // ssh refuses a key that others may read.
    await chmod(path, 0o600);
    const { stdout } = await run('ssh-keygen', ['-y', '-P', '', '-f', path]);
    return { path, publicKey: `${parsePublicKey(stdout, path)} anybios` };
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    const remedy = missing ? 'apt-get install openssh-client' : `delete ${path}; the next start makes a new one`;
    throw unavailable('this server has no key to enter its machines', { remedy, cause: error });
  }
}

/** The same, or undefined with a line in the log: a server without OpenSSH still boots machines, it only cannot send them jobs. */
export async function controlKeyIfAny(
  dataDir: string,
  log: { error(data: object, message: string): void },
): Promise<ControlKey | undefined> {
  try {
    return await ensureControlKey(dataDir);
  } catch (error) {
    log.error({ error }, 'jobs cannot be sent to machines');
    return undefined;
  }
}

async function makeKey(path: string): Promise<void> {
  const made = `${path}.new`;
  await rm(made, { force: true });
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'anybios', '-f', made]);
  await rm(`${made}.pub`, { force: true });
  await rename(made, path);
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}
