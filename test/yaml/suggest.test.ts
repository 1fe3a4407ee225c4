import { expect, it } from 'vitest';
import { suggest } from '../../server/yaml/suggest.js';

it.each<[string, readonly string[], string]>([
  ['adress', ['address', 'router'], ' (did you mean "address"?)'],
  ['wbe', ['web', 'db'], ' (did you mean "web"?)'],
  ['datadir', ['dataDir'], ' (did you mean "dataDir"?)'],
  ['role', ['roles'], ' (did you mean "roles"?)'],
  ['x', ['cidr'], ''],
  ['gateway', ['cidr', 'router', 'dns'], ''],
  ['a', [], ''],
])('%s among %j', (word, known, expected) => {
  expect(suggest(word, known)).toBe(expected);
});
