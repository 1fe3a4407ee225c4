import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, unlink } from 'node:fs/promises';
import { conflict, invalid, notFound } from '../domain/errors.js';
import type { Store, TokenRecord } from '../domain/ports.js';

/** The token of dataDir/admin.token goes by this name; it is not in the store. */
const ADMIN_TOKEN_NAME = 'admin';

const hashOf = (token: string): Buffer => createHash('sha256').update(token).digest();
const newToken = (): string => randomBytes(32).toString('base64url');

/**
 * Who may use the API. Only sha256 hashes are kept; a token has 256 random bits, so a plain hash is enough, and every
 * comparison takes the same time whichever byte differs.
 */
export class Tokens {
  readonly #store: Store;
  readonly #clock: () => number;
  readonly #records = new Map<string, { readonly hash: Buffer; readonly createdAt: number }>();
  readonly #adminHash: Buffer;

  constructor(options: {
    readonly adminToken: string;
    readonly records: readonly TokenRecord[];
    readonly store: Store;
    readonly clock: () => number;
  }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#adminHash = hashOf(options.adminToken);
    for (const record of options.records) {
      this.#records.set(record.name, { hash: Buffer.from(record.hash, 'hex'), createdAt: record.createdAt });
    }
  }

  /** The name of the token, or `undefined` when it is none of ours. */
  nameOf(token: string): string | undefined {
    const hash = hashOf(token);
    let found = timingSafeEqual(hash, this.#adminHash) ? ADMIN_TOKEN_NAME : undefined;
    for (const [name, record] of this.#records) {
      if (record.hash.length === hash.length && timingSafeEqual(hash, record.hash)) found = name;
    }
    return found;
  }

  /** Without the admin token of the file. */
  list(): readonly { readonly name: string; readonly createdAt: number }[] {
    return Array.from(this.#records, ([name, { createdAt }]) => ({ name, createdAt }));
  }

  /** Makes a token and returns it: it is shown this once. Throws `conflict` when the name is taken. */
  async add(name: string): Promise<{ readonly token: string; readonly createdAt: number }> {
    if (name === ADMIN_TOKEN_NAME || this.#records.has(name)) {
      throw conflict(`there is a token named "${name}"`, { field: 'name', remedy: 'choose another name' });
    }
    const token = newToken();
    const hash = hashOf(token);
    const createdAt = this.#clock();
    // Reserve the name before waiting, so that two requests cannot both create it.
    this.#records.set(name, { hash, createdAt });
    try {
      await this.#store.saveToken({ name, hash: hash.toString('hex'), createdAt });
    } catch (error) {
      this.#records.delete(name);
      throw error;
    }
    return { token, createdAt };
  }

  /** Throws `not_found`, or `conflict` for the admin token. */
  async remove(name: string): Promise<void> {
    if (name === ADMIN_TOKEN_NAME) {
      throw conflict('the admin token is a file', { remedy: 'delete dataDir/admin.token and restart the server' });
    }
    const record = this.#records.get(name);
    if (record === undefined)
      throw notFound(`there is no token named "${name}"`, { remedy: 'see: anybios token list' });
    await this.#store.removeToken(name);
    this.#records.delete(name);
  }
}

/**
 * The token of dataDir/admin.token; the first start writes it (mode 0600, whole or not at all, on disk before this returns).
 * Throws `invalid` when the file is there but holds no token.
 */
export async function ensureAdminToken(dataDir: string): Promise<string> {
  const path = `${dataDir}/admin.token`;
  await mkdir(dataDir, { recursive: true });
  for (;;) {
    const existing = await readIfThere(path);
    if (existing !== undefined) {
      const token = existing.trim();
      if (token.length < 32) {
        throw invalid(`${path} holds no token`, { remedy: `delete ${path}; the next start writes a new one` });
      }
      await chmod(path, 0o600);
      return token;
    }
    await createWhole(path, `${newToken()}\n`);
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Written beside it, synced, then linked: a reader never sees half a token, and of two servers that start at once one wins. */
async function createWhole(path: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(temporary, path);
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
  } finally {
    await unlink(temporary);
  }
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
