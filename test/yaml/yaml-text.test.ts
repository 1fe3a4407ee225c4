import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AnybiosError } from '../../server/domain/errors.js';
import { pathText } from '../../server/yaml/problem.js';
import { YamlText } from '../../server/yaml/yaml-text.js';

const TEXT = `# a comment
a: 1
b:
  - x
  - y: 2
    z: &anchor
      deep: 3
c: *anchor
1: number
`;

describe('the line of a value', () => {
  const yaml = new YamlText(TEXT, 'f.yaml');
  it.each<[string, (string | number)[], number]>([
    ['a key', ['a'], 2],
    ['a list entry', ['b', 0], 4],
    ['a key in a list entry', ['b', 1, 'z'], 6],
    ['a key deep inside', ['b', 1, 'z', 'deep'], 7],
    ['through an alias', ['c', 'deep'], 7],
    ['a key that is a number', ['1'], 9],
    ['what is not there: what is around it', ['b', 1, 'nothing', 'x'], 5],
    ['the whole file', [], 1],
  ])('%s', (_name, path, line) => {
    expect(yaml.lineOf(path)).toBe(line);
  });
});

describe('text that is no YAML', () => {
  it.each<[string, string, RegExp]>([
    ['a tab as indentation', 'a:\n\tb: 1\n', /^f\.yaml:2: .*tab/i],
    ['an unknown tag', 'a: !ruby/object 1\n', /^f\.yaml:1: .*tag/i],
    ['a list as a key', '? [a, b]\n: 1\n', /^f\.yaml:1: .*keys/i],
    ['two documents', 'a: 1\n---\nb: 2\n', /^f\.yaml:2: .*documents/i],
    ['an alias of nothing', 'a: *b\n', /^f\.yaml:?.*: .*alias/i],
    [
      'aliases that explode',
      `${['a', 'b', 'c', 'd', 'e', 'f', 'g']
        .map(
          (name, i, all) =>
            `${name}: &${name} [${
              i === 0
                ? 'x'
                : Array(9)
                    .fill(`*${all[i - 1]}`)
                    .join(', ')
            }]`,
        )
        .join('\n')}\n`,
      /^f\.yaml: .*alias/i,
    ],
  ])('%s', (_name, text, pattern) => {
    expect(() => new YamlText(text, 'f.yaml')).toThrow(AnybiosError);
    expect(() => new YamlText(text, 'f.yaml')).toThrow(pattern);
  });

  it.each<[string, string, string]>([
    [
      'a list that is not closed',
      'macs:\n  - [52-54-00-00-00-12\nnext: 1\n',
      'f.yaml:3: column 1, at "next: 1": Flow sequence in block collection must be sufficiently indented and end with a ]; allowed: YAML, e.g. key: [a, b]',
    ],
    ['a key twice', 'a:\n  b: 1\n  b: 2\n', 'f.yaml:3: the key "b" is there twice; allowed: each key once'],
    ['a tab', 'a:\n\tb: 1\n', 'f.yaml:2: column 1, at "b: 1": a tab as indentation; allowed: spaces'],
  ])('%s: says where, what stands there, and what is allowed', (_name, text, message) => {
    expect(() => new YamlText(text, 'f.yaml')).toThrow(new AnybiosError('invalid', message));
  });

  it('never ends in another error than a refusal (property)', () => {
    const pieces = fc.constantFrom(
      'a: ',
      '- ',
      '{',
      '}',
      '[',
      ']',
      '\n',
      '  ',
      '&x ',
      '*x',
      '"',
      "'",
      '|',
      '!!',
      '? ',
      '\t',
      'b',
      ',',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 30 }), (parts) => {
        try {
          new YamlText(parts.join(''), 'f.yaml').place(['a', 0, 'b']);
        } catch (error) {
          expect(error).toBeInstanceOf(AnybiosError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

it('paths read as people write them', () => {
  expect(pathText(['systems', 0, 'files', '/etc/motd'])).toBe('systems[0].files["/etc/motd"]');
});
