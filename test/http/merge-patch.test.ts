import { expect, test } from 'vitest';
import { mergePatch } from '../../server/http/merge-patch.js';

test('absent stays, null removes, objects are merged, the rest is set', () => {
  const target = { a: 1, b: { c: 2, d: 3 }, e: [1] };
  expect(mergePatch(target, { a: null, b: { c: 9 }, e: [2] })).toEqual({ b: { c: 9, d: 3 }, e: [2] });
});

test('__proto__ is a key like any other', () => {
  const merged = mergePatch({}, JSON.parse('{"__proto__":{"polluted":1}}'));
  expect(Object.keys(merged)).toEqual(['__proto__']);
  expect(Reflect.get({}, 'polluted')).toBeUndefined();
});

test('a patch too deep for the stack is refused', () => {
  const deep = JSON.parse(`${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`);
  expect(() => mergePatch({}, deep)).toThrow('objects in objects, more than 32 deep');
});
