import type { Calls } from '../calls.js';

/** Who holds whose role, and under which lease machines run. Few rows: one a machine of a role with spares. */
export const standbyCalls: Pick<Calls, 'saveStandby'> = {
  async saveStandby(database, { holdings = [], leases = [], forgetHoldings = [], forgetLeases = [] }) {
    for (const holding of holdings) {
      const body = JSON.stringify(holding);
      await database
        .insertInto('holdings')
        .values({ place: holding.place, body })
        .onConflict((on) => on.column('place').doUpdateSet({ body }))
        .execute();
    }
    for (const lease of leases) {
      const body = JSON.stringify(lease);
      await database
        .insertInto('role_leases')
        .values({ machine: lease.machine, body })
        .onConflict((on) => on.column('machine').doUpdateSet({ body }))
        .execute();
    }
    for (const place of forgetHoldings) await database.deleteFrom('holdings').where('place', '=', place).execute();
    for (const machine of forgetLeases)
      await database.deleteFrom('role_leases').where('machine', '=', machine).execute();
  },
};
