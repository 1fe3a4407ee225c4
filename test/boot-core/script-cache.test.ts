import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Repeats } from '../../server/boot/repeats.js';
import type { Image } from '../../server/domain/image.js';
import { address, elsewhere, lines, machine, startCore, type TestCore } from '../support/boot-core.js';

let core: TestCore;
beforeEach(async () => {
  core = await startCore();
  core.dora('pxe');
  core.dora('ipxe');
});
afterEach(async () => await core.close());

async function script(from = address): Promise<string> {
  const file = await core.boot.resolve('boot/ipxe/52-54-00-00-00-01', { protocol: 'http', address: from });
  return file.kind === 'text' ? file.text : file.kind;
}
const nonceOf = (text: string): string => /anybios\.nonce=([0-9a-f]+)/.exec(text)?.[1] ?? '';

describe('a script that was rendered before is new after', () => {
  test('a change of its role', async () => {
    const before = await script();
    core.state.applyChanges([
      { kind: 'machine', action: 'change', fields: ['role'], name: 'node1', value: { ...machine, role: 'disk' } },
    ]);
    expect(await script()).not.toBe(before);
  });

  test('a change of a system of its role', async () => {
    const before = await script();
    const web = core.state.systems.get('web');
    if (web === undefined) throw new Error('the fixture has a system web');
    core.state.applyChanges([{ kind: 'system', action: 'remove', fields: [], name: 'web' }]);
    expect(await script()).not.toBe(before);
    core.state.applyChanges([{ kind: 'system', action: 'add', fields: [], name: 'web', value: web }]);
    expect(await script()).toBe(before);
  });

  test('a tag that moved to another version', async () => {
    const before = await script();
    const old = core.state.image('kernel');
    if (old === undefined) throw new Error('the fixture has a kernel');
    const files = old.files.map((file) => ({ ...file, digest: file.digest.replace(/./g, '7') as typeof file.digest }));
    const next: Image = { ...old, version: '2', files };
    core.state.putImage(next);
    expect(await script()).toContain('7'.repeat(64));
    expect(before).not.toContain('7'.repeat(64));
    core.state.removeImage('kernel', '2');
    core.state.putImage(old);
    expect(await script()).toBe(before);
  });

  test('a claim: there is no nonce to give any more', async () => {
    const nonce = nonceOf(await script());
    expect(nonce).not.toBe('');
    await core.reports.claim(lines({ nonce, 'claim-id': 'claim-id-1', secureboot: 'off' }), address);
    expect(nonceOf(await script())).toBe('');
  });

  test('another boot: another nonce', async () => {
    const first = nonceOf(await script());
    core.dora('pxe');
    core.dora('ipxe');
    expect(nonceOf(await script())).not.toBe(first);
  });
});

test('the cache never gives the nonce to another address', async () => {
  expect(nonceOf(await script())).not.toBe('');
  expect(nonceOf(await script(elsewhere))).toBe('');
  expect(nonceOf(await script())).not.toBe('');
});

test('repeats: four a second, then how many were left out', () => {
  let now = 1000;
  const repeats = new Repeats(() => now);
  expect(Array.from({ length: 6 }, () => repeats.tell('a'))).toEqual([0, 0, 0, 0, undefined, undefined]);
  expect(repeats.tell('b')).toBe(0);
  now = 2000;
  expect([repeats.tell('a'), repeats.tell('a')]).toEqual([2, 0]);
});
