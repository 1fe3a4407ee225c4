import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideImageGc } from '../../server/decide/image-gc.js';
import { decideImageUse, type ImageUser, systemReferences, usersText } from '../../server/decide/image-use.js';
import { parseDigest } from '../../server/domain/digest.js';
import { type Image, type TagMove, versionKey } from '../../server/domain/image.js';
import type { Profile } from '../../server/domain/profile.js';
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

describe('whatever people do with tags, systems and machines', () => {
  type Step =
    | { readonly kind: 'import'; readonly name: string; readonly tag: string | undefined }
    | { readonly kind: 'tag'; readonly name: string; readonly version: number; readonly tag: string }
    | { readonly kind: 'untag'; readonly name: string; readonly tag: string }
    | { readonly kind: 'system'; readonly where: keyof System; readonly vm: boolean; readonly reference: string }
    | { readonly kind: 'profile'; readonly where: 'kernel' | 'rootfs'; readonly reference: string }
    | { readonly kind: 'boot'; readonly machine: string; readonly reference: string }
    | { readonly kind: 'gc' };
  const names = fc.constantFrom('base', 'site', 'kernel');
  const tags = fc.constantFrom('stable', 'next');
  const references = fc
    .tuple(names, fc.constantFrom('', ':stable', ':next', ':v1', ':v2', ':v3'))
    .map(([name, word]) => name + word);
  const steps: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('import'), name: names, tag: fc.option(tags, { nil: undefined }) }),
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('tag'), name: names, version: fc.nat(8), tag: tags }) },
    fc.record({ kind: fc.constant('untag'), name: names, tag: tags }),
    fc.record({
      kind: fc.constant('system'),
      where: fc.constantFrom('image', 'layer', 'disk', 'kernel'),
      vm: fc.boolean(),
      reference: references,
    }),
    fc.record({ kind: fc.constant('profile'), where: fc.constantFrom('kernel', 'rootfs'), reference: references }),
    fc.record({ kind: fc.constant('boot'), machine: fc.constantFrom('node1', 'node2'), reference: references }),
    { weight: 3, arbitrary: fc.constant({ kind: 'gc' }) },
  );

  /** A site as a table of rows, with its own idea of what a reference means and no other rule. */
  class Site {
    readonly rows: { key: string; name: string; version: string; tags: Set<string> }[] = [];
    readonly moves: TagMove[] = [];
    /** References in definitions. */
    readonly systems: System[] = [];
    readonly profiles: Profile[] = [];
    readonly told = new Map<string, string>();
    #count = 0;

    meaning(reference: string): string | undefined {
      const [name = '', word = 'stable'] = reference.split(':');
      return this.rows.find((row) => row.name === name && (row.version === word || row.tags.has(word)))?.key;
    }

    move(name: string, tag: string, to: string | undefined): void {
      const before = this.rows.find((row) => row.name === name && row.tags.has(tag));
      const after = this.rows.find((row) => row.name === name && row.version === to);
      if (before === after) return;
      before?.tags.delete(tag);
      after?.tags.add(tag);
      const ends = { ...(before && { from: before.version }), ...(after && { to: after.version }) };
      this.moves.unshift({ name, tag, ...ends, by: 'admin', at: NOW });
    }

    take(name: string, tag: string | undefined): void {
      this.#count += 1;
      const version = `v${this.#count}`;
      this.rows.push({ key: `${name}:${version}`, name, version, tags: new Set() });
      if (tag !== undefined) this.move(name, tag, version);
    }

    /** What may be removed: for each row every reason to keep it is looked for. */
    gc(): void {
      const images = this.rows.map(({ name, version, tags: own }) => ({ ...image('1', [...own]), name, version }));
      const find = (reference: string): Image | undefined => {
        const key = this.meaning(reference);
        return images.find((one) => versionKey(one) === key);
      };
      const holders = Array.from(this.told, ([machine, key]) => ({ machine, images: [key] }));
      const users = decideImageUse({ profiles: this.profiles, systems: this.systems, holders, image: find });
      const { remove, keep } = decideImageGc({ images, users, moves: this.moves, now: NOW, minAgeMs: HOUR });
      const removed = new Set(remove.map((one) => versionKey(one.image)));
      expect(remove.length + keep.length).toBe(images.length);
      const named = this.systems.flatMap((one) => [one.image, one.layer, one.disk, one.kernel]);
      // A VM without a kernel of its own is started with the one that machines have.
      if (this.systems.some((one) => one.kind === 'vm' && one.image !== undefined && one.kernel === undefined))
        named.push('kernel');
      named.push(...this.profiles.flatMap((one) => [one.kernel, one.rootfs]));
      const needed = new Set<string | undefined>(
        named.map((one) => (one === undefined ? undefined : this.meaning(one))),
      );
      for (const key of this.told.values()) needed.add(key);
      for (const row of this.rows) if (row.tags.size > 0) needed.add(row.key);
      for (const name of ['base', 'site', 'kernel'])
        for (const tag of ['stable', 'next']) {
          const last = this.moves.find((one) => one.name === name && one.tag === tag && one.from !== undefined);
          if (last !== undefined) needed.add(`${name}:${last.from}`);
        }
      for (const row of this.rows) expect(removed.has(row.key), row.key).toBe(!needed.has(row.key));
      for (const key of removed)
        this.rows.splice(
          this.rows.findIndex((row) => row.key === key),
          1,
        );
    }
  }

  test('gc takes what nothing leads to, all of it and nothing else', () => {
    let took = 0;
    fc.assert(
      fc.property(fc.array(steps, { minLength: 5, maxLength: 60 }), (all) => {
        const site = new Site();
        for (const step of all) {
          if (step.kind === 'import') site.take(step.name, step.tag);
          else if (step.kind === 'untag') site.move(step.name, step.tag, undefined);
          else if (step.kind === 'tag') {
            const own = site.rows.filter((row) => row.name === step.name);
            site.move(step.name, step.tag, own[step.version % Math.max(1, own.length)]?.version);
          } else if (step.kind === 'system') {
            const name = `s${site.systems.length}`;
            site.systems.push(system({ name, kind: step.vm ? 'vm' : 'chroot', [step.where]: step.reference }));
          } else if (step.kind === 'profile') site.profiles.push(profile(step.where, step.reference));
          else if (step.kind === 'boot') {
            const key = site.meaning(step.reference);
            if (key !== undefined) site.told.set(step.machine, key);
          } else {
            const before = site.rows.length;
            site.gc();
            took += before - site.rows.length;
            // What was told to boot, and what a roll-back needs, is there after any number of runs.
            site.gc();
          }
        }
      }),
      { numRuns: 500 },
    );
    expect(took).toBeGreaterThan(100);
  });
});

function profile(where: 'kernel' | 'rootfs', reference: string): Profile {
  return {
    name: 'own',
    description: '',
    kind: 'boot',
    args: [],
    templates: { ipxe: '', grub: '' },
    supports: { modes: [], kinds: [], storage: [], limits: [], networks: [], features: [] },
    failure: { policy: 'reboot', delaySeconds: 1 },
    params: {},
    [where]: reference,
  };
}
