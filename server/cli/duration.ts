import { invalid } from '../domain/errors.js';

const SECONDS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600 };

/** Reads `90`, `90s`, `3m`, `1h` as milliseconds. Throws `invalid`. */
export function parseDuration(text: string, option: string): number {
  const match = /^(\d{1,6})([smh]?)$/.exec(text.trim());
  const seconds = Number(match?.[1]) * (SECONDS[match?.[2] ?? ''] ?? 1);
  if (match === null || seconds === 0) {
    throw invalid(`"${text}" is not a time`, {
      field: option,
      remedy: 'write seconds, or a number with s, m or h: 3m',
    });
  }
  return seconds * 1000;
}
