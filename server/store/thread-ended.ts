import { type AnybiosError, unavailable } from '../domain/errors.js';

/** What calls get that the store's thread can no longer answer. */
export function threadEnded(path: string, cause: unknown): AnybiosError {
  return unavailable(`the store thread of ${path} has ended`, {
    remedy: 'the log says why; start anybios again',
    ...(cause instanceof Error ? { cause } : {}),
  });
}
