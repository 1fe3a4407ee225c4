import { AnybiosError } from '../domain/errors.js';

/** A JSON column as the value that was written into it. Throws `internal` when the text is damaged. */
export function fromJson<T>(text: string): T {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new AnybiosError('internal', 'a row of the database holds damaged JSON', {
      remedy: 'restore the database from a backup',
      cause: error,
    });
  }
}
