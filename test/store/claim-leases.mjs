// Run by kill.test.ts: claims leases as fast as it can and prints each address once its claim is acknowledged, until it is killed.
import { openStore } from '../../dist/store/open-store.js';

const [, , path, first] = process.argv;
const store = await openStore({ path });
let address = Number(first);

async function claimForEver() {
  for (;;) {
    const mine = address;
    address += 1;
    const lease = { address: mine, mac: '52:54:00:00:00:01', state: 'active', startedAt: mine, expiresAt: mine + 1 };
    const answer = await store.claimLease(lease, undefined);
    // Synchronous for pipes: a line that was written counts, whatever happens to the process next.
    process.stdout.write(`${mine} ${answer}\n`);
  }
}
await Promise.all(Array.from({ length: 100 }, claimForEver));
