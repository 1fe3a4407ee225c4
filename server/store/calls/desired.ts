import type { Kysely } from 'kysely';
import type { Change } from '../../domain/desired.js';
import type { Machine } from '../../domain/machine.js';
import type { Role } from '../../domain/role.js';
import type { System } from '../../domain/system.js';
import type { Calls } from '../calls.js';
import type { Tables } from '../tables.js';

type Database = Kysely<Tables>;

export const desiredCalls: Pick<Calls, 'applyDesired' | 'changesSince'> = {
  async applyDesired(database, changes, by) {
    // The order does not matter to the caller: what is referred to is written before and removed after what refers to it, and
    // rows of changed machines go first, so that two machines may swap a MAC or an address.
    for (const { name, action } of ofKind(changes, 'machine')) {
      if (action !== 'add') await database.deleteFrom('machines').where('name', '=', name).execute();
    }
    for (const { value, action } of ofKind(changes, 'system')) if (value) await putSystem(database, value, action);
    for (const { value, action } of ofKind(changes, 'role')) if (value) await putRole(database, value, action);
    for (const { value } of ofKind(changes, 'machine')) if (value) await insertMachine(database, value);
    for (const { value, name } of ofKind(changes, 'role')) {
      if (!value) await database.deleteFrom('roles').where('name', '=', name).execute();
    }
    for (const { value, name } of ofKind(changes, 'system')) {
      if (!value) await database.deleteFrom('systems').where('name', '=', name).execute();
    }
    const at_ms = Date.now();
    for (const { kind, action, name, fields } of changes) {
      await database
        .insertInto('changes')
        .values({ at_ms, by, kind, action, name, fields: JSON.stringify(fields) })
        .execute();
    }
    return newestChange(database);
  },
  async changesSince(database, sequence) {
    return database
      .selectFrom('changes')
      .select(['sequence', 'kind', 'name'])
      .where('sequence', '>', sequence)
      .orderBy('sequence')
      .execute();
  },
};

/** 0 when nothing was ever changed. */
export async function newestChange(database: Database): Promise<number> {
  const row = await database
    .selectFrom('changes')
    .select('sequence')
    .orderBy('sequence', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.sequence ?? 0;
}

function ofKind<K extends Change['kind']>(changes: readonly Change[], kind: K): Extract<Change, { kind: K }>[] {
  return changes.filter((change): change is Extract<Change, { kind: K }> => change.kind === kind);
}

// `add` is a plain insert: a name that somebody else added meanwhile is a conflict, not overwritten.

async function putSystem(database: Database, system: System, action: Change['action']): Promise<void> {
  const body = JSON.stringify(system);
  const insert = database.insertInto('systems').values({ name: system.name, body });
  await (action === 'add' ? insert : insert.onConflict((on) => on.column('name').doUpdateSet({ body }))).execute();
}

async function putRole(database: Database, role: Role, action: Change['action']): Promise<void> {
  const body = JSON.stringify(role);
  const insert = database.insertInto('roles').values({ name: role.name, body });
  await (action === 'add' ? insert : insert.onConflict((on) => on.column('name').doUpdateSet({ body }))).execute();
  await database.deleteFrom('role_systems').where('role', '=', role.name).execute();
  for (const system of role.systems) {
    await database.insertInto('role_systems').values({ role: role.name, system }).execute();
  }
}

async function insertMachine(database: Database, machine: Machine): Promise<void> {
  const { name, uuid = null, address = null, role = null } = machine;
  await database
    .insertInto('machines')
    .values({ name, uuid, address, role, body: JSON.stringify(machine) })
    .execute();
  for (const mac of machine.macs) await database.insertInto('machine_macs').values({ mac, machine: name }).execute();
}
