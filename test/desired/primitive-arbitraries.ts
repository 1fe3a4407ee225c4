import fc from 'fast-check';

export const NAME = fc.oneof(
  fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,10}$/),
  // Words that YAML readers like to take for something else.
  fc.constantFrom('null', 'true', 'on', 'no', '1e3', '0x1f', '012', '1', 'y'),
);
/** One line of text: anything but control characters. */
export const LINE = fc
  .string({ unit: 'grapheme', maxLength: 20 })
  .map((text) => [...text].filter((char) => char >= ' ' && char !== '\x7f').join(''))
  .chain((text) => fc.constantFrom(text, `${text}: #x`, ` ${text} `, `"${text}'`, `52:54:00`, `- ${text}`));
export const TEXT = fc
  .string({ unit: 'grapheme', maxLength: 40 })
  .chain((text) => fc.constantFrom(text, `${text}\n\n{{a}}\t\n`, `\n ${text}`));
export const optional = <K extends string, T>(key: K, value: fc.Arbitrary<T>): fc.Arbitrary<{ [P in K]?: T }> =>
  fc.option(value, { nil: undefined }).map((given) => {
    const part: { [P in K]?: T } = {};
    if (given !== undefined) part[key] = given;
    return part;
  });
export const table = (keys: fc.Arbitrary<string>, values: fc.Arbitrary<string>) =>
  fc.dictionary(keys, values, { maxKeys: 3, noNullPrototype: true });
