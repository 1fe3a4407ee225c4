import { invalid } from '../domain/errors.js';

/** JSON.parse whose error names line and column. Throws `invalid`. */
export function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch (error) {
    const offset = jsonErrorOffset(text);
    const before = text.slice(0, offset).split('\n');
    const position = `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
    const found = offset < text.length ? `found ${JSON.stringify(text.slice(offset, offset + 10))}` : 'the text ends';
    throw invalid(`malformed JSON at ${position}: ${found}`, {
      field: position,
      remedy: 'send a JSON object, e.g. {"role": "web"}',
      cause: error,
    });
  }
}

const SPACE = /[ \t\n\r]*/y;
const STRING = /"(?:[ -!#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const OTHER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/** Where the first character stands that JSON does not allow there: V8 (Node 20) tells it only for some errors. */
function jsonErrorOffset(text: string): number {
  const open: ('{' | '[')[] = [];
  let expect: 'value' | 'value-or-end' | 'key' | 'key-or-end' | 'colon' | 'comma-or-end' = 'value';
  let at = 0;
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    const length = pattern.exec(text)?.[0].length;
    at += length ?? 0;
    return length !== undefined;
  };
  for (;;) {
    take(SPACE);
    const char = text[at];
    const inside = open.at(-1);
    if (char === undefined) return at;
    if ((char === '}' && inside === '{') || (char === ']' && inside === '[')) {
      if (!expect.endsWith('-or-end')) return at;
      open.pop();
      expect = 'comma-or-end';
      at += 1;
    } else if (expect === 'comma-or-end') {
      if (char !== ',' || inside === undefined) return at;
      expect = inside === '{' ? 'key' : 'value';
      at += 1;
    } else if (expect === 'colon') {
      if (char !== ':') return at;
      expect = 'value';
      at += 1;
    } else if (expect === 'key' || expect === 'key-or-end') {
      if (!take(STRING)) return at;
      expect = 'colon';
    } else if (char === '{' || char === '[') {
      open.push(char);
      expect = char === '{' ? 'key-or-end' : 'value-or-end';
      at += 1;
    } else {
      if (!take(STRING) && !take(OTHER)) return at;
      expect = 'comma-or-end';
    }
  }
}
