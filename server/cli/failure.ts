import { AnybiosError } from '../domain/errors.js';
import { plain, type Style } from './terminal/style.js';
import { printable } from './terminal/text.js';

/** Exit codes of every command (docs/operating.md). `diff` is like diff(1): 1 = there are differences, trouble is 2 or 3. */
export const EXIT = { ok: 0, failed: 1, usage: 2, unreachable: 3 } as const;

/** No server answered: nothing was asked, so nothing is known. */
export class Unreachable extends Error {
  readonly remedy: string;

  constructor(message: string, remedy: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'Unreachable';
    this.remedy = remedy;
  }
}

/** What is printed of a failure; with --json in the form of the REST API. */
export interface Failure {
  readonly exitCode: number;
  readonly code: string;
  readonly message: string;
  readonly field?: string;
  readonly remedy?: string;
}

/** Any thrown value as one message with a remedy; a bug becomes `internal`, without its stack. */
export function failureOf(error: unknown): Failure {
  if (error instanceof Unreachable) {
    return { exitCode: EXIT.unreachable, code: 'unreachable', message: error.message, remedy: error.remedy };
  }
  if (error instanceof AnybiosError) {
    return {
      exitCode: error.code === 'invalid' ? EXIT.usage : EXIT.failed,
      code: error.code,
      message: error.message,
      ...(error.field === undefined ? {} : { field: error.field }),
      ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
    };
  }
  const message = error instanceof Error ? error.message : String(error);
  return {
    exitCode: EXIT.failed,
    code: 'internal',
    message: message === '' ? 'something unexpected happened' : message,
    remedy: 'run it again with ANYBIOS_DEBUG=1 and report what it prints',
  };
}

/**
 * `error: MESSAGE (FIELD) — remedy: REMEDY`. One line, unless the message has several: a site file with three mistakes gives
 * three such lines, as compilers do.
 */
export function errorLines(failure: Failure, style: Style = plain): readonly string[] {
  const field = failure.field !== undefined && !failure.message.includes(failure.field) ? ` (${failure.field})` : '';
  const remedy = failure.remedy === undefined ? '' : ` — remedy: ${failure.remedy}`;
  return `${failure.message}${field}${remedy.replace(/\s*\n\s*/g, ' ')}`
    .split('\n')
    .map((line) => `${style.bad('error:')} ${printable(line)}`);
}

/** `{"error": {code, message, field?, remedy?}}`. */
export function errorJson(failure: Failure): string {
  const { exitCode: _, ...error } = failure;
  return JSON.stringify({ error });
}
