import type { Kysely } from 'kysely';
import type { BootSession, Claim } from '../../domain/boot-session.js';
import type { Machine, Observed } from '../../domain/machine.js';
import type { Snapshot } from '../../domain/ports.js';
import type { Role } from '../../domain/role.js';
import type { Holding, RoleLease } from '../../domain/standby.js';
import type { System } from '../../domain/system.js';
import { fromJson } from '../json.js';
import type { Tables } from '../tables.js';
import { newestChange } from './desired.js';
import { rowToImage } from './images.js';
import { rowToLease } from './leases.js';

type Database = Kysely<Tables>;

/** Everything the in-memory state is made from, in one consistent reading. */
export async function loadSnapshot(database: Database): Promise<Snapshot> {
  const machines = await database.selectFrom('machines').select('body').orderBy('name').execute();
  const roles = await database.selectFrom('roles').select('body').orderBy('name').execute();
  const systems = await database.selectFrom('systems').select('body').orderBy('name').execute();
  const leases = await database.selectFrom('leases').selectAll().orderBy('address').execute();
  const observed = await database.selectFrom('observed').select('body').orderBy('key').execute();
  const holdings = await database.selectFrom('holdings').select('body').orderBy('place').execute();
  const roleLeases = await database.selectFrom('role_leases').select('body').orderBy('machine').execute();
  const tokens = await database.selectFrom('tokens').selectAll().orderBy('name').execute();
  return {
    machines: machines.map(({ body }) => fromJson<Machine>(body)),
    roles: roles.map(({ body }) => fromJson<Role>(body)),
    systems: systems.map(({ body }) => fromJson<System>(body)),
    images: await loadImages(database),
    leases: leases.map(rowToLease),
    observed: observed.map(({ body }) => fromJson<Observed>(body)),
    sessions: await newestSessions(database),
    claims: await liveClaims(database, Date.now()),
    holdings: holdings.map(({ body }) => fromJson<Holding>(body)),
    roleLeases: roleLeases.map(({ body }) => fromJson<RoleLease>(body)),
    tokens: tokens.map(({ name, hash, created_ms }) => ({ name, hash, createdAt: created_ms })),
    sequence: await newestChange(database),
  };
}

/** A nonce that nobody claimed is worth nothing a day after it expired; its machine got others since. */
const NONCE_KEPT_MS = 86_400_000;

async function liveClaims(database: Database, now: number): Promise<Claim[]> {
  const rows = await database.selectFrom('claims').select('body').orderBy('session').execute();
  const live: Claim[] = [];
  for (const { body } of rows) {
    const claim = fromJson<Claim>(body);
    if (claim.claimId !== undefined || claim.nonceExpiresAt > now - NONCE_KEPT_MS) live.push(claim);
    else await database.deleteFrom('claims').where('session', '=', claim.session).execute();
  }
  return live;
}

async function loadImages(database: Database): Promise<Snapshot['images']> {
  const images = await database.selectFrom('images').selectAll().orderBy('created_ms').orderBy('name').execute();
  const tags = await database.selectFrom('image_tags').selectAll().orderBy('tag').execute();
  return images.map((row) =>
    rowToImage(
      row,
      tags.filter(({ name, version }) => name === row.name && version === row.version).map(({ tag }) => tag),
    ),
  );
}

/** The newest session of each key; equal times are told apart by id. */
async function newestSessions(database: Database): Promise<BootSession[]> {
  const rows = await database
    .selectFrom('sessions as s')
    .select('s.body')
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('sessions as n')
            .select('n.id')
            .whereRef('n.key', '=', 's.key')
            .where(({ or, and, eb, ref }) =>
              or([
                eb('n.opened_ms', '>', ref('s.opened_ms')),
                and([eb('n.opened_ms', '=', ref('s.opened_ms')), eb('n.id', '>', ref('s.id'))]),
              ]),
            ),
        ),
      ),
    )
    .orderBy('s.opened_ms')
    .execute();
  return rows.map(({ body }) => fromJson<BootSession>(body));
}
