import { describe, expect, test } from 'vitest';
import { decideImageGc } from '../../server/decide/image-gc.js';
import { decideImageUse, type ImageUser, systemReferences, usersText } from '../../server/decide/image-use.js';
import { parseDigest } from '../../server/domain/digest.js';
import type { Image, TagMove } from '../../server/domain/image.js';
import type { System } from '../../server/domain/system.js';

const HOUR = 3_600_000;
const NOW = 1000 * HOUR;

const image = (version: string, tags: readonly string[] = [], ageHours = 100): Image => ({
  name: 'base',
  version,
  kind: 'rootfs',
  files: [{ part: 'rootfs', digest: parseDigest(version.repeat(64).slice(0, 64)), size: 1 }],
  tags,
  createdAt: NOW - ageHours * HOUR,
});
const move = (tag: string, from: string | undefined, to: string | undefined): TagMove => ({
  name: 'base',
  tag,
  ...(from === undefined ? {} : { from }),
  ...(to === undefined ? {} : { to }),
  by: 'admin',
  at: NOW,
});
const user: ImageUser = { kind: 'machine', name: 'node1' };

describe('what gc removes', () => {
  test.each<[string, Image, readonly TagMove[], boolean, string]>([
    ['no tag, no user, old', image('1'), [], false, 'no tag, not used'],
    ['a tag', image('1', ['next']), [], false, 'tag next'],
    ['a user, though no tag', image('1'), [], true, 'used by machine node1'],
    [
      'the version before the tag moved',
      image('1'),
      [move('stable', '1', '2')],
      false,
      'was stable before, for a roll-back',
    ],
    [
      'the version of a tag that was taken away',
      image('1'),
      [move('next', '1', undefined)],
      false,
      'was next before, for a roll-back',
    ],
    ['two moves ago', image('1'), [move('stable', '2', '3'), move('stable', '1', '2')], false, 'no tag, not used'],
    ['young', image('1', [], 23), [], false, 'imported a short time ago'],
    ['as old as the limit', image('1', [], 24), [], false, 'no tag, not used'],
  ])('%s', (_name, one, moves, used, why) => {
    const users = new Map(used ? [['base:1', [user]]] : []);
    const { remove, keep } = decideImageGc({ images: [one], users, moves, now: NOW, minAgeMs: 24 * HOUR });
    expect([...remove, ...keep]).toEqual([{ image: one, why }]);
    expect(remove).toHaveLength(why === 'no tag, not used' ? 1 : 0);
  });
});

describe('who uses an image', () => {
  const system = (over: Partial<System>): System => ({
    name: 'web',
    kind: 'chroot',
    command: ['/bin/sh'],
    env: {},
    files: {},
    storage: 'ram',
    restart: 'always',
    ...over,
  });

  test.each<[string, Partial<System>, readonly string[]]>([
    ['template and layer', { image: 'base', layer: 'site:2' }, ['base', 'site:2']],
    ['a VM of a template has the shared kernel', { kind: 'vm', image: 'base' }, ['base', 'kernel']],
    ['a VM with a kernel of its own', { kind: 'vm', image: 'base', kernel: 'linux:6' }, ['base', 'linux:6']],
    ['a VM with a disk has no kernel of ours', { kind: 'vm', disk: 'win' }, ['win']],
  ])('%s', (_name, over, references) => {
    expect(systemReferences(system(over))).toEqual(references);
  });

  test('references are followed to versions; what a machine was told stays, whatever the tag means now', () => {
    const users = decideImageUse({
      profiles: [],
      systems: [system({ image: 'base' })],
      holders: [{ machine: 'node1', images: ['base:1', 'gone:1'] }],
      image: (reference) => (reference === 'base' ? image('2', ['stable']) : undefined),
    });
    expect(Object.fromEntries(users)).toEqual({
      'base:2': [{ kind: 'system', name: 'web' }],
      'base:1': [user],
      'gone:1': [user],
    });
  });

  test('a thousand of them are a short text', () => {
    const many = Array.from({ length: 1000 }, (_, index): ImageUser => ({ kind: 'machine', name: `node${index}` }));
    expect(usersText(many)).toBe(
      'machine node0, machine node1, machine node2, machine node3, machine node4 and 995 more',
    );
  });
});
