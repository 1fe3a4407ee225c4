import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const TAIL_BYTES = 16_384;

/** The last lines of a log or of a console, without terminal control codes; empty when there is no such file. */
export function lastLines(file: string, count: number): readonly string[] {
  let handle: number;
  try {
    handle = openSync(file, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
  try {
    const size = fstatSync(handle).size;
    const buffer = Buffer.alloc(Math.min(size, TAIL_BYTES));
    readSync(handle, buffer, 0, buffer.length, size - buffer.length);
    return plainLines(buffer.toString('utf8')).slice(-count);
  } finally {
    closeSync(handle);
  }
}

/** Console output as lines: escape sequences (ECMA-48) and other control characters dropped, empty lines too. */
export function plainLines(text: string): readonly string[] {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
      .replace(/\u001b(\[[0-9;?=]*[ -/]*[@-~]|[()][0-9A-B]|[=>78cDEHM])/g, '')
      .split(/\r*\n|\r/)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: as above
      .map((line) => line.replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '').trimEnd())
      .filter((line) => line !== '')
  );
}
