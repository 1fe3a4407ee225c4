import type { Calls } from '../calls.js';

type ServerCalls = 'saveToken' | 'removeToken' | 'setting' | 'saveSetting';

/** What the server keeps for itself: API tokens and settings. */
export const serverCalls: Pick<Calls, ServerCalls> = {
  async saveToken(database, { name, hash, createdAt }) {
    const changed = { hash, created_ms: createdAt };
    await database
      .insertInto('tokens')
      .values({ name, ...changed })
      .onConflict((on) => on.column('name').doUpdateSet(changed))
      .execute();
  },
  async removeToken(database, name) {
    await database.deleteFrom('tokens').where('name', '=', name).execute();
  },
  async setting(database, key) {
    const row = await database.selectFrom('settings').select('value').where('key', '=', key).executeTakeFirst();
    return row?.value;
  },
  async saveSetting(database, key, value) {
    await database
      .insertInto('settings')
      .values({ key, value })
      .onConflict((on) => on.column('key').doUpdateSet({ value }))
      .execute();
  },
};
