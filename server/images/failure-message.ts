import { AnybiosError } from '../domain/errors.js';
import type { FailureMessage } from './keeper-messages.js';

/** Undefined = not one of ours: a fault to be logged, of which the other side is told no details. */
export function failureOf(error: unknown): FailureMessage | undefined {
  if (!(error instanceof AnybiosError)) return undefined;
  const { code, message, field, remedy } = error;
  return { code, message, field, remedy };
}

export const unexpected: FailureMessage = {
  code: 'internal',
  message: 'the server failed to do this',
  remedy: 'see the log of the server',
};

export function errorOf({ code, message, field, remedy }: FailureMessage): AnybiosError {
  return new AnybiosError(code, message, {
    ...(field === undefined ? {} : { field }),
    ...(remedy === undefined ? {} : { remedy }),
  });
}
