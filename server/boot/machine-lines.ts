import { invalid } from '../domain/errors.js';
import type { Json } from '../domain/event.js';

/** Lines of the machine protocol: key -> values in order (docs/booting.md). */
export type Lines = ReadonlyMap<string, readonly string[]>;
export type AnswerLines = readonly (readonly [key: string, value: string | number])[];

/** A step or a system, by name: both become part of an event's kind or of the machine's state. */
export const WORD = /^[a-z0-9][a-z0-9-]{0,62}$/;
/** Letters of one value that an event keeps. */
export const TEXT_LIMIT = 4096;

/** The value of a key that must be there. Throws `invalid`. */
export function one(lines: Lines, key: string): string {
  const value = lines.get(key)?.[0];
  if (value === undefined || value === '')
    throw invalid(`${key} is missing`, { field: key, remedy: 'see docs/booting.md, "The machine protocol"' });
  return value;
}

/** A name of the protocol. Throws `invalid`. */
export function word(lines: Lines, key: string): string {
  const value = one(lines, key);
  if (!WORD.test(value))
    throw invalid(`${key} is not a word`, { field: key, remedy: 'small letters, digits and -, at most 63' });
  return value;
}

/** A whole number; 0 when it is absent. Anything else would end up in lists that other programs read as numbers. */
export function count(text: string | undefined, field: string): number {
  if (text === undefined || text === '') return 0;
  if (!/^\d{1,15}$/.test(text)) throw invalid(`"${text.slice(0, 40)}" is not a whole number`, { field });
  return Number(text);
}

/** What a line says, for an event; numbers where the protocol has numbers. */
export function dataOf(lines: Lines, without: readonly string[]): Record<string, Json> {
  const data: Record<string, Json> = {};
  for (const [key, values] of lines) {
    if (without.includes(key)) continue;
    const value = values.join('\n').slice(0, TEXT_LIMIT);
    data[key] =
      /^(bytes|total|restarts|.*-ms|.*-bytes)$/.test(key) && Number.isFinite(Number(value)) ? Number(value) : value;
  }
  return data;
}

/** Where a file is and how it is checked: NAME, NAME-sha256, NAME-size. */
export function fileLines(
  name: string,
  file: { readonly url: string; readonly digest: string; readonly size: number } | undefined,
): AnswerLines {
  if (file === undefined) return [];
  return [
    [name, file.url],
    [`${name}-sha256`, file.digest],
    [`${name}-size`, file.size],
  ];
}
