import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Claims } from '../../server/boot/claims.js';
import { address, answerValue, lines, mac, startCore, type TestCore } from '../support/boot-core.js';
import { failingStore } from '../support/failing-store.js';

// Nonces and credentials when several things happen in one moment. What the store has afterwards is looked at by a restart.

let core: TestCore;
beforeEach(async () => {
  core = await startCore({ now: Date.now() });
});
afterEach(async () => await core.close());

async function nonce(): Promise<string> {
  const file = await core.boot.resolve('boot/ipxe/52-54-00-00-00-01', { protocol: 'http', address });
  return /anybios\.nonce=([0-9a-f]+)/.exec(file.kind === 'text' ? file.text : '')?.[1] ?? '';
}
const claim = async (what: string, id: string): Promise<string> =>
  answerValue(await core.reports.claim(lines({ nonce: what, 'claim-id': id }), address), 'credential');

test('two boots of one machine are claimed at once: one goes on, also after a restart', async () => {
  core.dora('pxe');
  const first = await nonce();
  core.dora('pxe');
  const second = await nonce();
  expect(second).not.toBe(first);
  const results = await Promise.allSettled([claim(first, 'claim-id-1'), claim(second, 'claim-id-2')]);
  const granted = results.filter((result) => result.status === 'fulfilled').map((result) => result.value);
  expect(granted).toHaveLength(1);
  await core.claims.authenticate(granted[0] ?? '');
  core = await core.restart();
  await core.claims.authenticate(granted[0] ?? '');
});

test('a script that is rendered while the claim is saved does not open the nonce again', async () => {
  core.dora('pxe');
  const known = await nonce();
  // Rendering now moves its end, so there is something to save.
  core.now += 60_000;
  const claiming = claim(known, 'claim-id-1');
  // Its save has been asked for; the store answers in a later turn of the event loop.
  for (let turns = 0; turns < 20; turns++) await Promise.resolve();
  const [credential] = await Promise.all([claiming, nonce(), nonce()]);
  await expect(claim(known, 'claim-id-2')).rejects.toThrow('nonce already claimed by another claim-id');
  expect(await nonce()).toBe('');
  core = await core.restart();
  await expect(claim(known, 'claim-id-2')).rejects.toThrow('nonce already claimed by another claim-id');
  await core.claims.authenticate(credential);
});

test('a claim while the script is being rendered holds as well', async () => {
  core.dora('pxe');
  const known = await nonce();
  core.now += 60_000;
  const [, credential] = await Promise.all([nonce(), claim(known, 'claim-id-1')]);
  core = await core.restart();
  await core.claims.authenticate(credential);
  await expect(claim(known, 'claim-id-1')).rejects.toThrow('its credential in use');
});

test('a credential whose first use and revocation meet stays revoked, also after a restart', async () => {
  core.dora('pxe');
  const credential = await claim(await nonce(), 'claim-id-1');
  const session = core.sessions.of('node1')?.id ?? '';
  await Promise.allSettled([core.claims.revoke(session), core.claims.authenticate(credential)]);
  await expect(core.claims.authenticate(credential)).rejects.toThrow('unknown credential');
  core = await core.restart();
  await expect(core.claims.authenticate(credential)).rejects.toThrow('unknown credential');
});

describe('a store that fails', () => {
  const session = (id: string) => ({
    id,
    key: 'node1',
    mac,
    machine: 'node1',
    openedAt: 0,
    stage: 'dhcp' as const,
    outcome: 'running' as const,
    lastStepAt: 0,
    firmware: 'bios' as const,
    stages: {},
    loaderFetches: 0,
  });

  test('gives no credential; the same nonce can be claimed once it works again', async () => {
    const { store, failing } = failingStore(core.store);
    const claims = new Claims('a key', store, [], () => core.now);
    const fresh = (await claims.nonceFor(session('s1'))) ?? '';
    failing.add('saveClaim');
    await expect(claims.claim(fresh, 'claim-id-1')).rejects.toThrow('failing on purpose');
    failing.clear();
    expect(await claims.claim(fresh, 'claim-id-2')).toMatchObject({ kind: 'granted' });
  });

  test('revokes nothing; it is done when asked again', async () => {
    const { store, failing } = failingStore(core.store);
    const claims = new Claims('a key', store, [], () => core.now);
    const result = await claims.claim((await claims.nonceFor(session('s1'))) ?? '', 'claim-id-1');
    const credential = result.kind === 'granted' ? result.credential : '';
    failing.add('saveClaim');
    await expect(claims.revoke('s1')).rejects.toThrow('failing on purpose');
    failing.clear();
    await claims.authenticate(credential);
    await claims.revoke('s1');
    await expect(claims.authenticate(credential)).rejects.toThrow('unknown credential');
  });
});
